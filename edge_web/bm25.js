// BM25 over the catalogue: the first step of a search. Words, scores and ties are those of utils/data/terms.py and
// candidates.py, so that the page finds what the server's Python finds.

const UNSPACED =
  "\\u0e00-\\u0eff\\u1000-\\u109f\\ua9e0-\\ua9ff\\uaa60-\\uaa7f\\u1780-\\u17ff\\u3005-\\u3007\\u3040-\\u30ff" +
  "\\u31f0-\\u31ff\\u3400-\\u4dbf\\u4e00-\\u9fff\\uf900-\\ufaff\\u{20000}-\\u{3ffff}";
const RUN = `[${UNSPACED}][${UNSPACED}\\p{M}\\u200d]*`; // of a script without spaces; each character is a word
const SPACED = `(?:(?![${UNSPACED}])[\\p{L}\\p{N}_])(?:(?![${UNSPACED}])[\\p{L}\\p{M}\\p{N}_])+`;
const WORD = new RegExp(`${RUN}|${SPACED}`, "gu");
const IS_RUN = new RegExp(`^[${UNSPACED}]`, "u");
const IS_WORD = /^[\p{L}\p{N}]/u;
const CHARACTERS = new Intl.Segmenter("en", { granularity: "grapheme" }); // as readers see them, with their marks
const WIDE = /[\uff01-\uffee]/g;
const UNSEEN = /[\u00ad\u200c\u200d\ufe00-\ufe0f]/g;
const ASCII = /^[\x00-\x7f]*$/;
const K1 = 1.5;
const B = 0.75;

/** The words of a text, in lower case, without stop words. */
export function words(text, stopWords) {
  let plain = text.toLowerCase();
  if (!ASCII.test(plain)) {
    plain = plain.replace(WIDE, (c) => c.normalize("NFKC")).replace(UNSEEN, "").normalize("NFC");
  }
  const found = (plain.match(WORD) ?? []).flatMap((word) => (IS_RUN.test(word) ? characters(word) : [word]));
  return found.filter((word) => !stopWords.has(word));
}

function characters(run) {
  return Array.from(CHARACTERS.segment(run), ({ segment }) => segment).filter((character) => IS_WORD.test(character));
}

/** An index over texts; `top(query, n)` gives the rows of the best products, best first, ties by row. */
export class Bm25 {
  constructor(texts, stopWords) {
    this.stopWords = new Set(stopWords);
    this.nTexts = texts.length;
    this.postings = new Map(); // word -> {rows, counts}
    const lengths = texts.map((text, row) => this.#add(words(text, this.stopWords), row));
    const mean = lengths.reduce((sum, length) => sum + length, 0) / Math.max(1, lengths.length) || 1;
    for (const posting of this.postings.values()) this.#weigh(posting, lengths, mean);
  }

  #add(found, row) {
    const counts = new Map();
    for (const word of found) counts.set(word, (counts.get(word) ?? 0) + 1);
    for (const [word, count] of counts) {
      if (!this.postings.has(word)) this.postings.set(word, { rows: [], counts: [] });
      const posting = this.postings.get(word);
      posting.rows.push(row);
      posting.counts.push(count);
    }
    return found.length;
  }

  #weigh(posting, lengths, mean) {
    const n = posting.rows.length;
    const rarity = Math.log(1 + (this.nTexts - n + 0.5) / (n + 0.5));
    posting.scores = Float32Array.from(posting.rows, (row, i) => {
      const count = posting.counts[i];
      return (rarity * count) / (count + K1 * (1 - B + (B * lengths[row]) / mean));
    });
    delete posting.counts;
  }

  top(query, n) {
    const scores = new Float32Array(this.nTexts);
    for (const word of words(query, this.stopWords)) {
      const posting = this.postings.get(word);
      posting?.rows.forEach((row, i) => (scores[row] += posting.scores[i]));
    }
    const found = [];
    scores.forEach((score, row) => score > 0 && found.push(row));
    return found.sort((a, b) => scores[b] - scores[a] || a - b).slice(0, n);
  }
}
