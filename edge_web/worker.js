// Everything that takes time, off the page's own thread: the bundle, BM25, and both models.
// Messages in: {type: "start"}, {type: "search", query, compare}. Out: "progress", "ready", "answer", "nothing",
// "reload", "refused", "failed". A search that a newer one has overtaken is dropped between two pieces of work.

import { Bm25 } from "./bm25.js";
import * as bundle from "./bundle.js";
import * as engine from "./ranker.js";

const N_CANDIDATES = 20;
const PIECES = [10, 5]; // candidates of one piece, by model: the slower one looks more often for a newer query

let manifest;
let index;
let products;
const rankers = [];
let newest = 0; // the number of the latest search
const send = (type, facts = {}) => postMessage({ type, ...facts });

onmessage = async ({ data }) => {
  try {
    if (data.type === "start") await start();
    if (data.type === "search") await search(data);
  } catch (error) {
    send("failed", { words: error.message ?? String(error), fatal: data.type === "start" });
  }
};

async function start() {
  const found = await bundle.update((progress) => send("progress", progress));
  manifest = found.manifest;
  if (found.isNew) return send("reload");
  if (found.refused) send("refused", { words: found.refused });
  const read = (path) => bundle.bytesOf(manifest, path);
  const catalogue = JSON.parse(new TextDecoder().decode(await read("catalogue.json")));
  products = catalogue.products;
  index = new Bm25(products.map(([, , text]) => text), catalogue.stop_words);
  const nThreads = engine.threads();
  engine.prepare({ nThreads, wasm: await read("vendor/ort-wasm-simd-threaded.wasm") });
  for (const [place, model] of manifest.models.entries()) {
    const begun = performance.now();
    rankers[place] = await engine.open(model, read);
    await rankers[place].score([["warm", "up"]]);
    send("ready", { place, manifest: place ? undefined : manifest, nThreads, openMs: performance.now() - begun });
  }
}

async function search({ query, compare }) {
  const number = ++newest;
  const isOvertaken = () => number !== newest;
  await turn();
  if (isOvertaken()) return;
  const begun = performance.now();
  const rows = index.top(query, N_CANDIDATES);
  const bm25Ms = performance.now() - begun;
  if (!rows.length) return send("nothing", { query, bm25Ms });
  for (const [place, ranker] of rankers.entries()) {
    if (place && !compare) break;
    const ranked = await answer({ query, rows, place, ranker, isOvertaken });
    if (!ranked) return;
    send("answer", { query, place, bm25Ms, ...ranked, products: ranked.rows.map((row) => products[row]) });
  }
}

/** The candidates in a model's order, with its time; from the cache where it was asked before; null if overtaken. */
async function answer({ query, rows, place, ranker, isOvertaken }) {
  const begun = performance.now();
  const key = { model: ranker.model.model_hash, query: query.trim().toLowerCase() };
  const kept = await bundle.keptAnswer(manifest, key);
  if (kept) return isOvertaken() ? null : { ...kept, ms: performance.now() - begun, wasKept: true };
  const pairs = rows.map((row) => [query, products[row][2]]);
  const scores = [];
  const size = PIECES[Math.min(place, PIECES.length - 1)];
  for (let at = 0; at < pairs.length; at += size) {
    scores.push(...(await ranker.score(pairs.slice(at, at + size), { batchSize: size })));
    await turn();
    if (isOvertaken()) return null;
  }
  const order = rows.map((_, i) => i).sort((a, b) => scores[b] - scores[a] || a - b);
  const ranked = { rows: order.map((i) => rows[i]), scores: order.map((i) => scores[i]), before: order };
  const ms = performance.now() - begun;
  await bundle.keepAnswer(manifest, key, ranked);
  return isOvertaken() ? null : { ...ranked, ms, wasKept: false };
}

/** Let messages in: a newer query is seen only between two turns of the event loop. */
function turn() {
  return new Promise((resolve) => {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => resolve();
    port2.postMessage(0);
  });
}
