// The answer about a photo. Where a target, layer or option of the address is refused, the photo and
// the answers are shown all the same, and `refused` is why there is no map.

import { ask } from "./api.js";

export async function look(question, options) {
  try {
    return await ask("look", question, options);
  } catch (refused) {
    if (refused.status !== 400) throw refused;
    const seen = await ask("look", { photo: question.photo }, options);
    return { ...seen, heat: null, refused };
  }
}
