"""The browser's line of the device matrix: a stage's page, opened in Chromium, its engine timed on one thread.

What is timed is the page's own code, `edge_web/ranker.js`, without the page around it: texts in, scores out.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from utils.course.run import Run
from utils.data.catalogue import texts_of
from utils.edge import web_bundle, web_server
from utils.edge.exports import device_matrix, fidelity
from utils.edge.exports.device_matrix import Line
from utils.edge.recorded_edge import Row
from utils.measure import load
from utils.measure.timing import Timing
from utils.measure.variant import Variant
from utils.rank import runtimes

NAME = "browser int8"
RUNTIME = "onnxruntime-web"
FOLDER = "browser"  # in the run's folder
BATCH_SIZE = 10  # as the page scores its candidates
REMEDY = "Chromium is missing: apt-get install chromium, or name one in the variable CHROMIUM"
MEASURE = """async ([valid, single, queries, batchSize, nLoads]) => {
  const engine = await import("/ranker.js");
  const model = (await (await fetch("/manifest.json")).json()).models[0];
  const bytesOf = async (path) => (await fetch("/" + path)).arrayBuffer();
  engine.prepare({ nThreads: 1 });
  let ranker;
  const timed = async (calls) => {
    const samples = [];
    for (const call of calls) {
      const begun = performance.now();
      await call();
      samples.push(performance.now() - begun);
    }
    return samples;
  };
  const open = async () => { ranker = await engine.open(model, bytesOf); };
  await open();
  const score = (pairs) => () => ranker.score(pairs, { batchSize });
  const scores = await score(valid)();
  const load = await timed(Array(nLoads).fill(open));
  await score(queries[0][0])();
  const one = await timed(single.map((pair) => score([pair])));
  const found = { scores: Array.from(scores), load, one, queries: [] };
  for (const some of queries) found.queries.push(await timed(some.map(score)));
  return found;
}"""


def measured(run: Run, source: str, *, reference: np.ndarray) -> Row:
    """Make a page with a stage in int8, and time and judge it in Chromium on one thread of WebAssembly.

    Args:
        reference: scores (n_pairs,) of valid's judged pairs by the model itself in PyTorch.

    Raises:
        FileNotFoundError: there is no Chromium, or no npm.
        ValueError: as `web_bundle.make`.
    """
    limits = {"catalogue": run.catalogue, "max_tokens": run.profile.max_tokens}
    site = web_bundle.make(run.folder / FOLDER, models={source: run.stage(source)}, **limits)
    work = load.workload(run.catalogue, n_queries=run.profile.n_latency_queries)
    single = work[0][: device_matrix.N_SINGLE]
    sizes = [[pairs[:n] for pairs in work] for n in device_matrix.N_CANDIDATES]
    with web_server.serve(site) as address, _tab() as tab:
        tab.goto(address + "icon.svg")
        asked = [texts_of(run.setting.valid), single, sizes, BATCH_SIZE, device_matrix.N_LOADS]
        found = tab.evaluate(MEASURE, asked)
    return _row(run, source, found=found, reference=reference, site=site)


def _row(run: Run, source: str, *, found: dict, reference: np.ndarray, site: Path) -> Row:
    setting = run.setting
    judged = {"pairs": setting.valid, "top_gain": setting.top_gain, "n_resamples": run.profile.n_bootstrap}
    kept = fidelity.compare(np.array(found["scores"]), reference, **judged)
    timings = [Timing(tuple(samples)) for samples in (found["load"], found["one"], *found["queries"])]
    of_queries = dict(zip(device_matrix.N_CANDIDATES, timings[2:], strict=True))
    model = web_bundle.read(site)["models"][0]
    line = Line(Variant(source, RUNTIME, "int8"), model["bytes"], timings[0], timings[1], of_queries, kept)
    hashes = (model["model_hash"], runtimes.weights_hash(run.stage(source), runtime="pytorch"))
    return Row(NAME, RUNTIME, "int8", *hashes, line.n_bytes, kept.rank_correlation, kept.ndcg10, line.as_row(NAME))


@contextmanager
def _tab() -> Iterator:
    """A tab of Chromium from the variable CHROMIUM or from PATH."""
    from playwright.sync_api import sync_playwright

    path = os.environ.get("CHROMIUM") or shutil.which("chromium")
    if not path:
        raise FileNotFoundError(REMEDY)
    as_root = ["--no-sandbox"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=as_root)
        yield browser.new_page()
        browser.close()
