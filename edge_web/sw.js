// The service worker: gives the page the files of the installed bundle, whole and of one version, network or not.
// What is not kept comes from the network. bundle.js decides which version is installed; this file only reads.

const POINTER = "rank-for-less pointer";
const PREFIX = "rank-for-less bundle ";

self.addEventListener("install", () => self.skipWaiting());
self.addEventListener("activate", (event) => event.waitUntil(self.clients.claim()));

self.addEventListener("fetch", (event) => {
  const address = new URL(event.request.url);
  const isOurs = address.origin === self.location.origin && event.request.method === "GET";
  if (!isOurs || address.searchParams.has("newest")) return; // bundle.js asks the network itself
  event.respondWith(answer(event.request, address));
});

async function answer(request, address) {
  const pointer = await caches.open(POINTER);
  const found = await pointer.match(new URL("manifest.json", self.registration.scope).href);
  if (!found) return fetch(request);
  const { version } = await found.json();
  address.search = "";
  address.hash = "";
  const kept = await (await caches.open(PREFIX + version)).match(address.href);
  return kept ?? fetch(request);
}
