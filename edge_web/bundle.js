// The bundle on this device: fetched, checked against the sha256 of its manifest, and kept by version in the Cache API.
// A new version takes the place of the old one only when every file is there and right; until then the old one serves.

const FORMAT = "rank-for-less web 1";
const POINTER = "rank-for-less pointer"; // the cache that holds the manifest of the installed version
const PREFIX = "rank-for-less bundle ";
const ANSWERS = "rank-for-less answers ";
const MOST_ANSWERS = 500;
const WAIT_MS = 8000; // for the manifest, before the installed version serves

const root = new URL("./", import.meta.url);
const at = (path) => new URL(path, root).href;
const newestAt = (path) => at(`${path}?newest`); // passes by the service worker, which gives what is installed

/** The manifest of the installed version, or null. */
export async function installed() {
  const found = await (await caches.open(POINTER)).match(at("manifest.json"));
  return found ? found.json() : null;
}

/**
 * Bring the bundle up to date, and return {manifest, isNew, refused}.
 * `refused` says why a newer one was not taken, "" where all went well; without any usable version it throws.
 */
export async function update(report = () => {}) {
  const old = await installed();
  let manifest;
  try {
    manifest = await newest();
  } catch (error) {
    if (old) return { manifest: old, isNew: false, refused: error.offline ? "" : error.message };
    throw error;
  }
  if (old && manifest.version === old.version && (await isWhole(old))) {
    return { manifest: old, isNew: false, refused: "" };
  }
  try {
    await install(manifest, old, report);
    return { manifest, isNew: Boolean(old) && shellDiffers(old, manifest), refused: "" };
  } catch (error) {
    if (old && old.version !== manifest.version) return { manifest: old, isNew: false, refused: error.message };
    throw error;
  }
}

/** The bytes of a file of that version; an error where the browser has thrown it away. */
export async function bytesOf(manifest, path) {
  const found = await (await caches.open(PREFIX + manifest.version)).match(at(path));
  if (!found) throw new Error(`${path} is no longer kept on this device; reload the page with the network on`);
  return found.arrayBuffer();
}

/** A kept answer of that version, or null. */
export async function keptAnswer(manifest, key) {
  const found = await (await caches.open(ANSWERS + manifest.version)).match(answerAddress(key));
  return found ? found.json() : null;
}

/** Keep an answer for as long as this version serves; the oldest go first. */
export async function keepAnswer(manifest, key, answer) {
  const cache = await caches.open(ANSWERS + manifest.version);
  await cache.put(answerAddress(key), new Response(JSON.stringify(answer)));
  const keys = await cache.keys();
  for (const old of keys.slice(0, Math.max(0, keys.length - MOST_ANSWERS))) await cache.delete(old);
}

const answerAddress = (key) => at(`answers?${new URLSearchParams(key)}`);

async function newest() {
  let reply;
  try {
    reply = await fetch(newestAt("manifest.json"), { cache: "no-store", signal: AbortSignal.timeout(WAIT_MS) });
  } catch {
    throw Object.assign(new Error("The shop cannot be reached. Connect once, then it works without."), { offline: true });
  }
  if (!reply.ok) throw new Error(`The shop's manifest cannot be read (status ${reply.status}).`);
  let manifest;
  try {
    manifest = await reply.json();
  } catch {
    throw new Error("The shop's manifest is damaged.");
  }
  if (manifest.format !== FORMAT) throw new Error(`This page reads '${FORMAT}', and the bundle is '${manifest.format}'.`);
  return manifest;
}

async function isWhole(manifest) {
  const cache = await caches.open(PREFIX + manifest.version);
  const kept = new Set((await cache.keys()).map((request) => request.url));
  return Object.keys(manifest.files).every((path) => kept.has(at(path)));
}

async function install(manifest, old, report) {
  const cache = await caches.open(PREFIX + manifest.version);
  const total = Object.values(manifest.files).reduce((sum, file) => sum + file.bytes, 0);
  let done = 0;
  report({ done, total });
  for (const [path, file] of Object.entries(manifest.files)) {
    const kept = await keptFile(path, file, old);
    const reply = kept ?? (await fetched(path, file, (bytes) => report({ done: done + bytes, total })));
    await cache.put(at(path), reply.clone());
    if (path === "index.html") await cache.put(at("./"), reply.clone());
    done += file.bytes;
    report({ done, total });
  }
  const pointer = await caches.open(POINTER);
  await pointer.put(at("manifest.json"), new Response(JSON.stringify(manifest)));
  await forgetAllBut(manifest.version);
}

/** The same file of the version before, so that only what changed is fetched. */
async function keptFile(path, file, old) {
  if (!old || old.files[path]?.sha256 !== file.sha256) return null;
  const found = await (await caches.open(PREFIX + old.version)).match(at(path));
  return found ?? null;
}

async function fetched(path, file, report) {
  let reply;
  let data;
  try {
    reply = await fetch(newestAt(path), { cache: "no-cache" });
    data = await read(reply, file.bytes, report);
  } catch {
    throw new Error(`${path} did not arrive whole.`);
  }
  if (!reply.ok) throw new Error(`${path} cannot be fetched (status ${reply.status}).`);
  if (data.byteLength !== file.bytes || (await sha256(data)) !== file.sha256) {
    throw new Error(`${path} is not the file that was made; its checksum differs.`);
  }
  return new Response(data, { headers: reply.headers });
}

async function read(reply, nBytes, report) {
  const data = new Uint8Array(nBytes);
  let length = 0;
  for (const reader = reply.body.getReader(); ; ) {
    const { done, value } = await reader.read();
    if (done) return data.subarray(0, length);
    if (length + value.length > nBytes) return new Uint8Array(0); // longer than it may be
    data.set(value, length);
    length += value.length;
    report(length);
  }
}

async function sha256(data) {
  const digest = await crypto.subtle.digest("SHA-256", data);
  return Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

const isShell = (path) => /^[^/]*\.(html|css|js|svg)$|^vendor\//.test(path);

function shellDiffers(old, manifest) {
  const paths = Object.keys({ ...old.files, ...manifest.files }).filter(isShell);
  return paths.some((path) => old.files[path]?.sha256 !== manifest.files[path]?.sha256);
}

async function forgetAllBut(version) {
  for (const name of await caches.keys()) {
    const isOurs = name.startsWith(PREFIX) || name.startsWith(ANSWERS);
    if (isOurs && name !== PREFIX + version && name !== ANSWERS + version) await caches.delete(name);
  }
}
