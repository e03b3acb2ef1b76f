// The state as the server tells it, with what is looked up again and again: who is where, and what a change touches.

import { servicesOf } from "./claims.js";
import { Gap, Stop } from "./stream.js";

export const FORMAT = 1;

// behind: what is not of now, by kind or "all", and since when
const SECTIONS = ["nodes", "claims", "services", "plans", "others", "behind"];

export class Store {
  constructor() {
    this.version = -1;
    this.loaded = false;
    for (const name of SECTIONS) this[name] = new Map();
    this.heldOn = new Map(); // claim -> names of the nodes that show it
    this.claimsOf = new Map(); // service -> keys of its claims
  }

  // Returns which rows changed, by section: a Map of sets of keys. Throws Gap where a change does not follow, Stop for another format.
  take(event, data) {
    const touched = new Map(SECTIONS.map((name) => [name, new Set()]));
    if (event === "state") {
      if (data.format !== FORMAT) throw new Stop(`the server tells the map in format ${data.format}, and this page knows ${FORMAT}; load it anew`);
      for (const name of SECTIONS) this.replace(name, data.state[name] ?? {}, touched.get(name));
      this.loaded = true;
    } else {
      if (data.since !== this.version) throw new Gap(`change since ${data.since} does not follow ${this.version}`);
      for (const [name, rows] of Object.entries(data.change)) {
        if (!touched.has(name)) continue; // a section that a later server has
        for (const [key, row] of Object.entries(rows)) this.put(name, key, row, touched.get(name));
      }
    }
    this.version = data.version;
    return touched;
  }

  // The names of nodes that are drawn otherwise after such a change.
  nodesOf(touched) {
    const names = new Set(touched.get("nodes"));
    const claims = new Set(touched.get("claims"));
    for (const service of touched.get("services")) {
      for (const claim of this.claimsOf.get(service) ?? []) claims.add(claim);
    }
    for (const claim of claims) for (const node of this.heldOn.get(claim) ?? []) names.add(node);
    return names;
  }

  servicesOf(claim) {
    return keysOf(claim).map((key) => this.services.get(key)).filter(Boolean);
  }

  waiting() {
    const found = [...this.claims].filter(([, claim]) => claim.waiting !== null);
    found.sort(([a, one], [b, other]) => other.priority - one.priority || order(one.waiting.since, other.waiting.since) || order(a, b));
    return found;
  }

  replace(name, rows, touched) {
    for (const key of [...this[name].keys()]) if (!(key in rows)) this.put(name, key, null, touched);
    for (const [key, row] of Object.entries(rows)) this.put(name, key, row, touched);
  }

  put(name, key, row, touched) {
    const before = this[name].get(key);
    touched.add(key);
    if (name === "nodes") this.reindexNode(key, before, row);
    if (name === "claims") this.reindexClaim(key, before, row);
    if (row === null) this[name].delete(key);
    else this[name].set(key, row);
  }

  reindexNode(key, before, row) {
    for (const claim of held(before)) this.heldOn.get(claim)?.delete(key);
    for (const claim of held(row)) entry(this.heldOn, claim).add(key);
  }

  reindexClaim(key, before, row) {
    for (const service of keysOf(before)) this.claimsOf.get(service)?.delete(key);
    for (const service of keysOf(row)) entry(this.claimsOf, service).add(key);
  }
}

function keysOf(claim) {
  return claim ? servicesOf(claim).map((name) => `${claim.namespace}/${name}`) : [];
}

function* held(node) {
  for (const gpu of node?.gpus ?? []) for (const one of gpu.partitions) if (one.claim) yield one.claim;
}

function entry(map, key) {
  let found = map.get(key);
  if (!found) map.set(key, (found = new Set()));
  return found;
}

export function order(a, b) {
  return a < b ? -1 : a > b ? 1 : 0;
}
