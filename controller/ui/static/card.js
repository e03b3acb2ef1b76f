// One node as a box of GPUs, each a box of partitions, all to the scale of their memory.

import { h } from "./vendor/preact.js";
import { modelWord, ownerOf, readyWord } from "./claims.js";
import { lookOf, useOf, worst } from "./look.js";
import { counted, gpuName, shortModel, size, tinyModel } from "./words.js";

const GIB = 2 ** 30;
const GAP = 4;
const PADDING = 8;
const BORDER = 2;
const NARROWEST = 96;
const MINIMUM = 12; // of a GPU, where not even one node fits

// `unit`: pixels a GiB in height; `gpu`: a GPU's least width; `head`, `label`: heights of what stands above, pixels.
export const ZOOMS = [
  { name: "Fleet", unit: 0.17, gpu: 10, gap: 2, head: 20, label: 0, text: false },
  { name: "Nodes", unit: 0.5, gpu: 54, gap: GAP, head: 26, label: 15, text: true },
  { name: "Close", unit: 1.1, gpu: 104, gap: GAP, head: 26, label: 15, text: true },
];

// The zoom with GPUs so much wider that full rows of nodes fill `width` pixels; `most`: GPUs of the largest node.
export function fitted(zoom, width, most, between) {
  if (!most || !zoom.text) return zoom;
  const least = Math.max(NARROWEST, most * (zoom.gpu + zoom.gap) - zoom.gap) + 2 * PADDING + BORDER;
  const columns = Math.max(1, Math.floor((width + between) / (least + between)));
  const each = Math.floor((width + between) / columns) - between - 2 * PADDING - BORDER;
  return { ...zoom, gpu: Math.max(MINIMUM, Math.min(2 * zoom.gpu, Math.floor((each + zoom.gap) / most) - zoom.gap)) };
}

export function boxOf(node, zoom) {
  const tallest = Math.max(1, ...node.gpus.map((gpu) => gpu.bytes));
  const gpus = node.gpus.length * (zoom.gpu + zoom.gap) - zoom.gap;
  return {
    width: Math.max(NARROWEST, gpus) + 2 * PADDING + BORDER,
    height: zoom.head + zoom.label + heightOf(tallest, zoom) + 2 * PADDING + BORDER,
  };
}

function heightOf(bytes, zoom) {
  return Math.max(16, Math.round((bytes / GIB) * zoom.unit));
}

export const keyOf = (node, bdf, id) => (id === undefined ? (bdf === undefined ? node : `${node}|${bdf}`) : `${node}|${bdf}|${id}`);

// `view`: way, zoom, match (a function of partitions), only, roving, chosen, ghosts (keys a what-if would take).
export function Card({ node, store, models, view, whole }) {
  const zoom = view.fitted;
  const signs = signsOf(node, store);
  return [
    h("div", { class: "head", "aria-hidden": "true" }, [
      h("span", { class: "name" }, node.name),
      ...signs.map((sign) => h("span", { class: `sign ${sign.kind}` }, view.zoom ? sign.word : sign.short)),
    ]),
    whole
      ? h("div", { class: "gpus", role: "group", style: { gap: `${zoom.gap}px` } },
          node.gpus.map((gpu) => h(Gpu, { key: gpu.bdf, node, gpu, store, models, view, zoom })))
      : null,
  ];
}

function Gpu({ node, gpu, store, models, view, zoom }) {
  const key = keyOf(node.name, gpu.bdf);
  const classes = ["gpu"];
  if (gpu.plan) classes.push("changing");
  if (gpu.problem) classes.push("troubled");
  if (view.ghosts.has(key)) classes.push("remade");
  if (view.chosen === key) classes.push("chosen");
  return h("div", {
    class: classes.join(" "), role: "treeitem", "aria-level": 2, "aria-expanded": "true", "aria-label": gpuLabel(gpu, store),
    "aria-selected": view.chosen === key ? "true" : "false", tabIndex: view.roving === key ? 0 : -1, "data-key": key,
    style: { width: `${zoom.gpu}px` },
  }, [
    zoom.label ? h("div", { class: "mode", "aria-hidden": "true" }, zoom.gpu > 60 ? gpu.mode ?? "mode unknown" : shortMode(gpu.mode)) : null,
    h("div", { class: "parts", role: "group", style: { height: `${heightOf(gpu.bytes, zoom)}px` } },
      gpu.partitions.map((one) => h(Part, { key: one.id, node, gpu, one, store, models, view, zoom }))),
  ]);
}

function Part({ node, gpu, one, store, models, view, zoom }) {
  const key = keyOf(node.name, gpu.bdf, one.id);
  const claim = one.claim ? store.claims.get(one.claim) : undefined;
  const look = lookOf(view.way, one, store, models);
  const classes = ["part", look.name];
  if (one.holder && one.health !== "healthy") classes.push("sick");
  if (claim?.troubles.length) classes.push("sick");
  if (!view.match(node, gpu, one, claim) || (view.only && view.only !== look.key)) classes.push("dim");
  if (view.ghosts.has(key)) classes.push("ghost");
  if (view.chosen === key) classes.push("chosen");
  const tall = heightOf(one.bytes, zoom) >= 11;
  return h("div", {
    class: classes.join(" "), role: "treeitem", "aria-level": 3, "aria-label": partLabel(one, claim, store), "data-key": key,
    "aria-selected": view.chosen === key ? "true" : "false", tabIndex: view.roving === key ? 0 : -1,
    style: { flexGrow: Math.max(1, Math.round(one.bytes / 2 ** 20)) },
  }, zoom.text && tall && one.holder ? h(Tag, { one, claim, narrow: zoom.gpu < 76, tall: heightOf(one.bytes, zoom) > 40 }) : null);
}

function Tag({ one, claim, narrow, tall }) {
  if (!claim) return one.holder === "foreign" ? h("span", { class: "tag", "aria-hidden": "true" }, "foreign") : null;
  const name = claim.model ? (narrow ? tinyModel : shortModel)(claim.model) : claim.group ?? ownerOf(claim);
  const whose = tall && !narrow ? h("small", null, `${claim.model ? ownerOf(claim) : modelWord(claim)} · ${claim.namespace}`) : null;
  return h("span", { class: "tag", "aria-hidden": "true" }, name, whose);
}

const shortMode = (mode) => (mode ?? "?").split("/")[0];

// What a person should see of a node at a glance.
export function signsOf(node, store) {
  const signs = [];
  const plans = new Set(node.gpus.map((gpu) => gpu.plan).filter(Boolean));
  if (!node.managed) signs.push({ kind: "calm", word: "not managed", short: "–" });
  if (!node.ready) signs.push({ kind: "bad", word: "not ready", short: "!" });
  else if (!node.fresh) signs.push({ kind: "bad", word: "agent silent", short: "!" });
  if (node.paused) signs.push({ kind: "calm", word: "paused", short: "Ⅱ" });
  if (node.unschedulable) signs.push({ kind: "calm", word: "cordoned", short: "Ⅱ" });
  for (const plan of plans) signs.push({ kind: "busy", word: phaseOf(store.plans.get(plan)), short: "↻" });
  if (node.problems || node.missingGpus.length) signs.push({ kind: "bad", word: "problems", short: "!" });
  return signs;
}

const phaseOf = (plan) => (plan ? plan.phase.replace(/([a-z])([A-Z])/g, "$1 $2").toLowerCase() : "changing");

export function nodeLabel(node, store) {
  const parts = node.gpus.flatMap((gpu) => gpu.partitions);
  const held = parts.filter((one) => one.holder).length;
  const told = [`node ${node.name}`, `${counted(node.gpus.length, "GPU")} ${node.product}`,
    `${held} of ${counted(parts.length, "partition")} held`];
  return [...told, ...signsOf(node, store).map((sign) => sign.word)].join(", ");
}

export function gpuLabel(gpu) {
  const held = gpu.partitions.filter((one) => one.holder).length;
  const told = [`GPU ${gpuName(gpu.bdf)}`, gpu.product, size(gpu.bytes), `mode ${gpu.mode ?? "unknown"}`,
    `${held} of ${gpu.partitions.length} held`];
  if (gpu.plan) told.push(`plan ${gpu.plan} changes it`);
  if (gpu.problem) told.push(gpu.problem);
  return told.join(", ");
}

const HELD = { used: "in use by", starting: "starting:" };

export function partLabel(one, claim, store) {
  const use = useOf(one, claim);
  const told = [`partition ${one.id}`, size(one.bytes)];
  if (claim) {
    told.push(`${HELD[use] ?? use} ${ownerOf(claim)} of ${claim.namespace}`);
    if (modelWord(claim)) told.push(modelWord(claim));
    if (claim.group) told.push(readyWord(claim));
    const state = worst(store.servicesOf(claim));
    if (state !== "none") told.push(`objectives ${state}`);
    told.push(...claim.troubles.map((trouble) => trouble.type));
  } else told.push({ others: "in use by another namespace", foreign: "held past the operator", kept: "kept for somebody", unknown: "not judged yet" }[use] ?? use);
  if (claim && one.health !== "healthy") told.push(one.health);
  return told.join(", ");
}
