// A ranker in WebAssembly: texts in, scores out. Bytes come from bundle.js, which has checked them.

import * as ort from "./vendor/ort.wasm.min.mjs";
import { Tokenizer } from "./vendor/tokenizers.min.mjs";
import { encode, padded } from "./pairs.js";

const MOST_THREADS = 4;
const MOST_TEXTS = 20_000; // of which token ids are kept

/** Threads that this page may use: several where it is isolated from other origins, one elsewhere. */
export function threads() {
  return globalThis.crossOriginIsolated ? Math.min(MOST_THREADS, navigator.hardwareConcurrency || 1) : 1;
}

/** Prepare the engine; called once, before the first ranker. */
export function prepare({ nThreads, wasm }) {
  ort.env.wasm.numThreads = nThreads;
  ort.env.wasm.wasmPaths = new URL("./vendor/", import.meta.url).href;
  if (wasm) ort.env.wasm.wasmBinary = wasm;
  ort.env.logLevel = "error";
}

/**
 * Open a model of the manifest.
 * @param {(path: string) => Promise<ArrayBuffer>} bytesOf reads a file of the bundle
 */
export async function open(model, bytesOf) {
  const file = (name) => bytesOf(`${model.folder}/${name}`);
  const json = async (name) => JSON.parse(new TextDecoder().decode(await file(name)));
  const tokenizer = new Tokenizer(await json("tokenizer.json"), await json("tokenizer_config.json"));
  const session = await ort.InferenceSession.create(new Uint8Array(await file("model.onnx")), {
    executionProviders: ["wasm"],
    graphOptimizationLevel: "all",
  });
  return new Ranker(model, tokenizer, session);
}

export class Ranker {
  #ids = new Map();

  constructor(model, tokenizer, session) {
    Object.assign(this, { model, tokenizer, session });
  }

  /** Scores of pairs [query, product], in their order; sorted by length into batches, as BatchedRanker does. */
  async score(pairs, { batchSize = 32 } = {}) {
    const { frame, max_tokens: maxTokens } = this.model;
    const rows = pairs.map((texts) => encode(texts, { idsOf: (text) => this.#idsOf(text), frame, maxTokens }));
    const order = rows.map((_, i) => i).sort((a, b) => rows[a].input_ids.length - rows[b].input_ids.length || a - b);
    const scores = new Float32Array(pairs.length);
    for (let start = 0; start < order.length; start += batchSize) {
      const places = order.slice(start, start + batchSize);
      const found = await this.#forward(places.map((place) => rows[place]));
      places.forEach((place, i) => (scores[place] = found[i]));
    }
    const wrong = scores.findIndex((score) => !Number.isFinite(score));
    if (wrong >= 0) throw new Error(`the score of pair ${wrong} is ${scores[wrong]}, not a finite number`);
    return scores;
  }

  async #forward(rows) {
    const feeds = {};
    for (const name of this.session.inputNames) {
      const { data, dims } = padded(rows.map((row) => row[name]), this.model.pad[name]);
      feeds[name] = new ort.Tensor("int64", data, dims);
    }
    const found = await this.session.run(feeds);
    return found[this.session.outputNames[0]].data;
  }

  #idsOf(text) {
    if (!this.#ids.has(text)) {
      if (this.#ids.size >= MOST_TEXTS) this.#ids.clear();
      const ids = text === "" ? [] : this.tokenizer.encode(text, { add_special_tokens: false }).ids;
      this.#ids.set(text, ids);
    }
    return this.#ids.get(text);
  }
}
