// Pairs as a cross-encoder reads them. The JavaScript tokenizer neither truncates nor pads, and takes an empty second
// text for none; so texts are tokenized one by one, cut by the rule of the Rust library, and put into the frame that
// the manifest gives. The same rule in Python: utils/rank/ranker.py.

/** How many tokens of each text stay: the longer one is cut first, the second gets the odd token. */
export function kept(nQuery, nProduct, room) {
  if (nQuery + nProduct <= room) return [nQuery, nProduct];
  const shorter = Math.min(nQuery, nProduct, Math.floor(room / 2));
  return nQuery > nProduct ? [room - shorter, shorter] : [shorter, room - shorter];
}

/** Token ids and types of one pair, at most `maxTokens`, not padded. */
export function encode(texts, { idsOf, frame, maxTokens }) {
  const room = maxTokens - frame.filter(([, , side]) => side === null).length;
  if (room < 0) throw new Error(`max_tokens is ${maxTokens}, less than the special tokens of a pair`);
  const sides = texts.map(idsOf);
  const lengths = kept(sides[0].length, sides[1].length, room);
  const ids = [];
  const types = [];
  for (const [id, type, side] of frame) {
    const part = side === null ? [id] : sides[side].slice(0, lengths[side]);
    ids.push(...part);
    for (let i = 0; i < part.length; i++) types.push(type);
  }
  return { input_ids: ids, token_type_ids: types, attention_mask: ids.map(() => 1) };
}

/** One column of a batch, padded on the right to its longest pair: {data, dims} of whole numbers of 64 bits. */
export function padded(rows, filling) {
  const width = Math.max(...rows.map((row) => row.length));
  const data = new BigInt64Array(rows.length * width).fill(BigInt(filling));
  rows.forEach((row, i) => row.forEach((value, j) => (data[i * width + j] = BigInt(value))));
  return { data, dims: [rows.length, width] };
}
