// The page: what a reader sees and does. All work is the worker's; the query is kept in the address after '#', which a
// browser never sends.

const N_SHOWN = 10;
const SAY_AFTER_MS = 500; // a screen reader hears of an answer once typing rests

const element = (id) => document.getElementById(id);
const query = element("query");
const compare = element("compare");
const worker = new Worker(new URL("./worker.js", import.meta.url), { type: "module" });
const columns = [];
let asked = "";
let saying;

const handlers = { progress, ready, answer, nothing, refused, failed, reload: () => location.reload() };
worker.onmessage = ({ data }) => handlers[data.type](data);
worker.onerror = () => failed({ words: "The page's worker could not start; reload the page.", fatal: true });

begin();

async function begin() {
  element("form").addEventListener("submit", (event) => event.preventDefault());
  query.addEventListener("input", search);
  compare.addEventListener("change", search);
  document.addEventListener("keydown", shortcut);
  for (const name of ["online", "offline"]) addEventListener(name, showNetwork);
  showNetwork();
  if (!("caches" in globalThis)) {
    return failed({ words: "This browser keeps no files here; open the page over https or on localhost.", fatal: true });
  }
  try {
    await navigator.serviceWorker?.register("sw.js", { updateViaCache: "none" });
  } catch {
    // without it the page works, but not without a network
  }
  worker.postMessage({ type: "start" });
}

function shortcut(event) {
  if (event.key === "/" && document.activeElement !== query) {
    event.preventDefault();
    query.focus();
    query.select();
  }
  if (event.key === "Escape" && document.activeElement === query) {
    query.value = "";
    search();
  }
}

function search() {
  asked = query.value.trim();
  history.replaceState(null, "", asked ? `#${encodeURIComponent(asked)}` : location.pathname);
  if (element("trouble").dataset.of === "search") element("trouble").hidden = true;
  const isTwo = compare.checked && columns.length > 1;
  columns.forEach((column, place) => (column.hidden = place > 0 && !isTwo));
  element("columns").classList.toggle("two", isTwo);
  if (!asked) element("answers").hidden = true;
  for (const column of columns) column.classList.toggle("stale", !column.hidden);
  worker.postMessage({ type: "search", query: asked, compare: compare.checked });
}

function progress({ done, total }) {
  element("progress").value = total ? done / total : 0;
  element("loading-bytes").textContent = `${megabytes(done)} of ${megabytes(total)}`;
}

function ready({ place, manifest, nThreads, openMs }) {
  if (place === 0) showShop(manifest, nThreads);
  const column = columns[place];
  column.querySelector(".note").textContent = `Ready after ${Math.round(openMs)} ms.`;
  column.dataset.ready = "true";
  if (asked || (place === 0 && query.value)) search();
}

function showShop({ version, models, catalogue }, nThreads) {
  for (const model of models) addColumn(model);
  element("switch").hidden = models.length < 2;
  element("compare-words").textContent = `Compare with ${models[1]?.name ?? ""}`;
  element("threads").textContent = nThreads === 1 ? "1 thread" : `${nThreads} threads`;
  element("threads").hidden = false;
  const n = catalogue.n_products.toLocaleString("en");
  element("about").textContent = `${n} products of the shop “${catalogue.name}” · bundle ${version.slice(0, 8)}`;
  for (const example of catalogue.examples) addExample(example);
  element("examples").hidden = !catalogue.examples.length;
  element("loading").hidden = true;
  query.disabled = false;
  query.value ||= fromAddress();
  query.focus();
}

function fromAddress() {
  try {
    return decodeURIComponent(location.hash.slice(1));
  } catch {
    return "";
  }
}

function addColumn(model) {
  const column = element("column").content.cloneNode(true).querySelector(".column");
  const heading = column.querySelector("h2");
  heading.textContent = model.name;
  heading.id = `model-${columns.length}`;
  column.setAttribute("aria-labelledby", heading.id);
  column.querySelector(".weight").textContent = `${megabytes(model.bytes)} to load · ${model.precision}`;
  column.querySelector(".note").textContent = "Loading …";
  columns.push(column);
  element("columns").append(column);
}

function addExample(text) {
  const button = document.createElement("button");
  button.type = "button";
  button.textContent = text;
  button.addEventListener("click", () => {
    query.value = text;
    search();
  });
  element("examples").append(button);
}

function answer({ query: of, place, bm25Ms, ms, wasKept, products, before }) {
  if (of !== asked) return;
  const column = columns[place];
  const shown = products.slice(0, N_SHOWN).map((product, i) => card(product, i + 1, before[i] - i));
  column.querySelector(".products").replaceChildren(...shown);
  column.querySelector(".ms").textContent = ms < 10 ? ms.toFixed(1) : Math.round(ms);
  column.querySelector(".note").textContent = wasKept
    ? "An answer kept from before."
    : `Ranked ${products.length} candidates on this device.`;
  column.classList.remove("stale");
  element("answers").hidden = false;
  element("found").textContent = `${products.length} candidates by their words in ${bm25Ms.toFixed(1)} ms, then ranked`;
  if (place === 0) say(`${shown.length} products for ${of}, ranked in ${Math.round(ms)} milliseconds`);
}

function card([id, title, text], rank, moved) {
  const item = element("product").content.cloneNode(true).querySelector("li");
  const tile = item.querySelector(".tile");
  tile.textContent = rank;
  tile.style.setProperty("--hue", hue(id)); // one colour a product, so that eyes find it in the other column
  item.querySelector("h3").textContent = title;
  item.querySelector(".detail").textContent = text.startsWith(title) ? text.slice(title.length).trim() : text;
  const move = item.querySelector(".move");
  move.classList.toggle("up", moved > 0);
  move.append(symbol(moved > 0 ? `↑ ${moved}` : moved < 0 ? `↓ ${-moved}` : "="), unseen(words(moved)));
  return item;
}

function words(moved) {
  const places = Math.abs(moved) === 1 ? "1 place" : `${Math.abs(moved)} places`;
  return moved ? `${moved > 0 ? "up" : "down"} ${places} from the search by words` : "where the search by words had it";
}

function symbol(text) {
  const span = document.createElement("span");
  span.setAttribute("aria-hidden", "true");
  span.textContent = text;
  return span;
}

function unseen(text) {
  const span = document.createElement("span");
  span.className = "unseen";
  span.textContent = text;
  return span;
}

function nothing({ query: of }) {
  if (of !== asked || !asked) return;
  element("answers").hidden = false;
  element("found").textContent = `No product has a word of “${of}”.`;
  for (const column of columns) {
    column.querySelector(".products").replaceChildren();
    column.querySelector(".ms").textContent = "–";
    column.querySelector(".note").textContent = "Nothing to rank.";
    column.classList.remove("stale");
  }
  say(`No product found for ${of}`);
}

function refused({ words: why }) {
  trouble("bundle", `A newer version of the shop was refused, and the one on this device goes on serving. ${why}`);
}

function failed({ words: why, fatal }) {
  element("loading").hidden = true;
  if (fatal) trouble("bundle", `The shop cannot open. ${why} Reload the page to try again.`);
  else trouble("search", `That search failed. ${why}`);
}

/** Show what went wrong; what a search did goes with the next one, what the bundle did stays. */
function trouble(of, text) {
  element("trouble").dataset.of = of;
  element("trouble").textContent = text;
  element("trouble").hidden = false;
}

function say(text) {
  clearTimeout(saying);
  saying = setTimeout(() => (element("said").textContent = text), SAY_AFTER_MS);
}

function showNetwork() {
  element("network").textContent = navigator.onLine ? "Online" : "Offline, and still searching";
  element("network").classList.toggle("offline", !navigator.onLine);
}

function megabytes(bytes) {
  const mb = bytes / 1e6;
  return `${mb < 10 ? mb.toFixed(1) : Math.round(mb)} MB`;
}

function hue(text) {
  let sum = 7;
  for (const character of text) sum = (sum * 137 + character.codePointAt(0)) % 360;
  return String(sum);
}
