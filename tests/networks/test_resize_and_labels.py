"""A photo squashed to the network's size against Keras and transformers themselves; labels as
users have them: WordNet ids, `class 3`, `cat,dog`; and the factor that pixels are multiplied by."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

import convscope
from convscope.errors import OptionError, TargetError
from convscope.networks import wordnet
from convscope.networks.sources._keras_support import library
from convscope.networks.sources.hf import _preprocessing
from convscope.photos.samples import sample
from convscope.questions.find_class import find_class
from convscope.results.details import ImagesDetails
from convscope.results.png import read_provenance
from tests.user_networks import cats_and_dogs

ELEPHANT, ELEPHANT_ID = 386, "n02504458"


class Pixels(nn.Module):
    """A network whose scores are the mean of each third of the image's rows, so that they show
    what it is given."""

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return image.mean(1).unflatten(1, (3, -1)).mean((2, 3))


@pytest.fixture(scope="module")
def keras_file(tmp_path_factory):
    path = tmp_path_factory.mktemp("keras") / "cats.keras"
    cats_and_dogs(side=48, units=(8, 8), dense=8).save(path)
    return str(path)


@pytest.fixture(scope="module")
def photo(tmp_path_factory):
    """A photo twice as wide as high, as a file."""
    path = tmp_path_factory.mktemp("photo") / "wide.png"
    Image.fromarray(sample("chelsea")).crop((0, 0, 400, 200)).save(path)
    return str(path)


@pytest.mark.filterwarnings("ignore")
def test_a_keras_file_is_given_what_load_img_gives(keras_file, photo):
    model = convscope.load_model(keras_file)
    wanted = np.asarray(
        library().utils.load_img(photo, target_size=(48, 48), interpolation="bilinear")
    )
    seen = model.fit(convscope.load_image(photo))[0].permute(1, 2, 0).numpy() * 255
    assert np.abs(seen - wanted).max() <= 1
    assert model.preprocessing.box(200, 400) == (0, 0, 200, 400)
    cut = convscope.load_model(keras_file, resize="crop")
    assert cut.preprocessing.box(200, 400) == (0, 100, 200, 200)
    assert cut.identity != model.identity


def test_a_hugging_face_processor_without_a_crop_is_followed(photo):
    transformers = pytest.importorskip("transformers")
    processor = transformers.ViTImageProcessor(size={"height": 32, "width": 48})
    preprocessing = _preprocessing(processor.to_dict(), None)
    assert preprocessing.resize == "squash"
    wanted = processor(Image.open(photo), return_tensors="pt")["pixel_values"]
    seen = preprocessing.normalize(preprocessing.fit(convscope.load_image(photo)))
    assert float((seen - wanted).abs().max()) <= 1.01 / 127.5


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("ConvNext", {"size": {"shortest_edge": 224}}),
        ("ConvNext", {"size": {"shortest_edge": 384}}),
        ("ConvNext", {"size": {"shortest_edge": 512}, "crop_pct": 0.95}),
        (
            "PoolFormer",
            {
                "size": {"shortest_edge": 384},
                "crop_size": {"height": 384, "width": 384},
                "crop_pct": 0.95,
            },
        ),
        ("ViT", {"size": {"height": 48, "width": 64}, "resample": 0}),
        ("ViT", {"size": {"height": 48, "width": 64}, "resample": 2}),
    ],
)
def test_a_hugging_face_processor_is_followed(kind, options, photo):
    """ConvNeXt's cuts below 384 pixels and squashes from there on; PoolFormer's cuts at any size;
    and resampling 0 is the nearest pixel."""
    transformers = pytest.importorskip("transformers")
    processor = getattr(transformers, f"{kind}ImageProcessor")(**options)
    preprocessing = _preprocessing(processor.to_dict(), None)
    wanted = processor(Image.open(photo), return_tensors="pt")["pixel_values"]
    seen = preprocessing.normalize(preprocessing.fit(convscope.load_image(photo)))
    # transformers rounds to 8 bits after resizing.
    assert float((seen - wanted).abs().max()) <= 1.1 / (255 * min(processor.image_std))


@pytest.mark.filterwarnings("ignore")
def test_the_provenance_names_the_mode_and_rerun_keeps_it(keras_file, photo, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for resize in ("squash", "crop"):
        out = tmp_path / f"{resize}.png"
        result = convscope.predict(convscope.load_model(keras_file, resize=resize), photo, top=1)
        result.save(out)
        assert read_provenance(str(out))["model"]["resize"] == resize
        assert "The same picture" in str(convscope.rerun(out, trust=True).note)
    default = convscope.predict(None, "sample:chelsea", top=1)
    assert default.provenance["model"]["resize"] == "crop"
    # A file of a time when Keras networks were given a crop says nothing of it.
    del result.provenance["model"]["resize"]
    del result.provenance["model"]["options"]["resize"]
    result.save(tmp_path / "old.png")
    again = convscope.rerun(tmp_path / "old.png", trust=True)
    assert np.array_equal(again["probability"], result["probability"])


def test_a_card_says_it(tmp_path, photo):
    card = tmp_path / "card.toml"
    card.write_text(
        'architecture = "timm:test_resnet"\nweights = false\n[preprocessing]\nresize = "squash"\n'
    )
    model = convscope.load_model(str(card))
    assert model.preprocessing.box(200, 400) == (0, 0, 200, 400)
    assert tuple(model.fit(convscope.load_image(photo)).shape[-2:]) == model.size


def test_squash_and_a_crop_do_not_go_together():
    with pytest.raises(OptionError, match="squash"):
        convscope.load_model(None, resize="squash", crop=0.9)


@pytest.mark.parametrize("scale", [255, 127.5, 256])
def test_a_scale_of_unit_pixels_is_refused(scale):
    """White would be 65,025, and all step sizes would be of that range."""
    with pytest.raises(OptionError, match="multiplies pixels from 0 to 255"):
        convscope.load_model(Pixels(), size=9, scale=scale, mean_image=torch.zeros(3, 9, 9))
    model = convscope.load_model(Pixels(), size=9, scale=1, mean_image=torch.zeros(3, 9, 9))
    assert model.preprocessing.input_span == 255


@pytest.mark.parametrize("index", [0, 134, 517, ELEPHANT, 999])
def test_a_wordnet_id_is_its_class(index):
    """134 and 517 are both "crane"."""
    identifier = wordnet.imagenet_ids()[index]
    assert find_class(convscope.load_model(), identifier) == index
    other = convscope.load_model("torchvision:squeezenet1_1", weights=False)
    assert find_class(other, identifier) == index


def test_every_verb_that_takes_a_class_takes_its_id():
    model = convscope.load_model()
    explained = convscope.explain(model, "sample:chelsea", target=f"{ELEPHANT_ID} vs class 1")
    wanted = convscope.explain(model, "sample:chelsea", target=f"{ELEPHANT} vs 1")
    assert np.array_equal(explained["attribution"], wanted["attribution"])
    fooled = convscope.fool(model, "sample:chelsea", target=ELEPHANT_ID, steps=1)
    assert fooled.table[0]["target"] == "African elephant"
    pictured = convscope.class_image(model, ELEPHANT_ID, steps=1, size=32)
    assert pictured.details_as(ImagesDetails).titles == ["African elephant"]
    unit = convscope.visualize(model, f"logit({ELEPHANT_ID})", steps=1, size=32)
    assert unit.details_as(ImagesDetails).titles == ["African elephant"]


def test_labels_that_are_ids_are_read_as_words(tmp_path):
    """The folders of TinyImageNet, and the lines of `synset_words.txt`."""
    names = tmp_path / "wnids.txt"
    names.write_text("n02124075\nn02504458 African elephant, Loxodonta africana\ncat\n")
    model = convscope.load_model(Pixels(), size=9, labels=str(names))
    assert [model.label(index) for index in range(3)] == ["Egyptian cat", "African elephant", "cat"]
    assert [find_class(model, text) for text in ("n02124075", "n02504458", "cat")] == [0, 1, 2]
    again = convscope.load_model(model, labels=model.options["labels"])
    assert again.labels == model.labels


def test_labels_with_commas_are_a_list():
    model = convscope.load_model(Pixels(), size=9, labels="cat,dog, owl")
    assert model.labels == ("cat", "dog", "owl")


def test_class_3_is_the_third_unless_a_label_says_so():
    model = convscope.load_model(Pixels(), size=9)
    assert find_class(model, "class 2") == 2
    assert convscope.predict(model, np.zeros((1, 3, 9, 9), np.float32)).table[0]["label"] == (
        model.label(0)
    )
    named = convscope.load_model(Pixels(), size=9, labels=["class 1", "class 2", "class 3"])
    assert find_class(named, "class 3") == 2
    with pytest.raises(TargetError, match="0 to 2"):
        find_class(model, "class 3")


def test_an_id_that_no_class_has_is_a_sentence():
    with pytest.raises(TargetError, match="dog"):
        find_class(convscope.load_model(), "n02084071")
    with pytest.raises(TargetError, match="no class"):
        find_class(convscope.load_model(), "n99999999")
