// Whom a claim is of, in words: one pod, or a share group, whose members can be of several services and models.

import { counted, shortModel } from "./words.js";

const distinct = (values) => [...new Set(values.filter(Boolean))];

export const servicesOf = (claim) => (claim.service ? [claim.service] : distinct(claim.members.map((one) => one.service)));
export const modelsOf = (claim) => (claim.model ? [claim.model] : distinct(claim.members.map((one) => one.model)));

export function ownerOf(claim) {
  return claim.service ?? claim.pod ?? (claim.group ? `share group ${claim.group}` : claim.name);
}

// "" where nobody says which.
export function modelWord(claim) {
  const models = modelsOf(claim);
  return models.length > 1 ? `${counted(models.length, "model")}` : models.length ? shortModel(models[0]) : "";
}

export function readyWord(claim) {
  return `${claim.members.filter((one) => one.ready).length} of ${counted(claim.members.length, "member")} ready`;
}
