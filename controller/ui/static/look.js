// What a partition looks like: a class of the style sheet, and a word for legend, labels and screen readers.
// Every look differs from the others by pattern or border as well as by colour.

import { modelsOf } from "./claims.js";
import { shortModel } from "./words.js";

export const WAYS = [
  ["use", "Use"],
  ["model", "Model"],
  ["health", "Health"],
  ["objectives", "Objectives"],
];

const USE = {
  free: "free",
  used: "in use",
  starting: "starting",
  kept: "kept for somebody",
  others: "in use by another namespace",
  foreign: "held past the operator",
  unhealthy: "unhealthy",
  quarantined: "in quarantine",
  unknown: "not judged yet",
};
const OBJECTIVES = {
  kept: "objectives kept",
  burning: "budget burning",
  missed: "objectives missed",
  unknown: "not judged yet",
  none: "no objective",
};
const HEALTH = { healthy: "healthy", unhealthy: "unhealthy", quarantined: "in quarantine", unknown: "not judged yet" };
const COLOURS = 8;
const PATTERNS = 3;

// What is going on in a partition, whatever it is coloured by.
export function useOf(partition, claim) {
  if (partition.health !== "healthy" && !partition.holder) return partition.health;
  if (partition.holder === "foreign") return "foreign";
  if (partition.holder === "ours") {
    if (!partition.claim) return "others";
    return claim && claim.phase === "Allocated" && claim.ready ? "used" : "starting";
  }
  return partition.kept ? "kept" : "free";
}

// Models get colours as they are first seen, the largest first, and keep them.
export class Models {
  constructor() {
    this.numbers = new Map();
  }

  see(store) {
    const bytes = new Map();
    for (const claim of store.claims.values()) {
      for (const model of modelsOf(claim)) bytes.set(model, (bytes.get(model) ?? 0) + (claim.bytes ?? 0));
    }
    const fresh = [...bytes].filter(([model]) => !this.numbers.has(model));
    fresh.sort(([a, one], [b, other]) => other - one || (a < b ? -1 : 1));
    for (const [model] of fresh) this.numbers.set(model, this.numbers.size);
  }

  look(model) {
    const number = this.numbers.get(model) ?? 0;
    return `m${number % COLOURS} p${Math.floor(number / COLOURS) % PATTERNS}`;
  }
}

const WORST = ["missed", "burning", "kept", "unknown", "none"];

export const byWorst = (one, other) => WORST.indexOf(one.state) - WORST.indexOf(other.state);

// The state of those services of a claim that keeps its objectives worst.
export const worst = (services) => [...services].sort(byWorst)[0]?.state ?? "none";

// { key, name, word }: key tells looks apart in the legend, name is the classes.
export function lookOf(way, partition, store, models) {
  const claim = partition.claim ? store.claims.get(partition.claim) : undefined;
  const use = useOf(partition, claim);
  const ofUse = { key: use, name: `use-${use}`, word: USE[use] };
  if (way === "use") return ofUse;
  if (way === "health") {
    return { key: partition.health, name: `health-${partition.health}`, word: HEALTH[partition.health] };
  }
  if (!claim) return ofUse;
  if (way === "model") {
    const [model, ...others] = modelsOf(claim);
    if (others.length) return { key: "several", name: "m-several", word: "several models" };
    if (!model) return { key: "?", name: "use-others", word: "no model named" };
    return { key: model, name: models.look(model), word: shortModel(model) };
  }
  const state = worst(store.servicesOf(claim));
  return { key: state, name: `slo-${state}`, word: OBJECTIVES[state] };
}

// Of the legend; models come before all of these.
export const ORDER = ["several", "used", "starting", "healthy", "kept", "burning", "missed", "none", "others", "foreign", "unknown",
  "unhealthy", "quarantined", "free"];
