"""One file from the network into a folder: resumed where it stopped, checked, and put in place whole or not at all.

What a file is and when a copy of it is right lies in `sources`; proxies and certificates are those of the
environment (HTTPS_PROXY, NO_PROXY, REQUESTS_CA_BUNDLE).
"""

from __future__ import annotations

import itertools
import os
import re
import time
from collections.abc import Collection
from pathlib import Path
from urllib.parse import urljoin, urlsplit

import requests
from requests import exceptions
from tqdm import tqdm

from utils.data.public import sources
from utils.data.public.sources import PublicFile

STALL_S = 30.0
N_TRIES = 4
PAUSE_S = 1.0
N_REDIRECTS = 5
CHUNK_BYTES = 16_384  # at most what is lost when a connection ends
GO_ON = "the same command goes on where it stopped; or hand over a copy with --from"


class DownloadError(OSError):
    """A file could not be had: the message names the host, what happened and the remedy."""


class Interrupted(DownloadError):
    """It may go better the next time, and goes on from what has come."""


class Unreachable(Interrupted):
    """No connection."""


def download(
    file: PublicFile, folder: Path, *, hosts: Collection[str], stall_s: float = STALL_S, n_tries: int = N_TRIES
) -> Path:
    """Fetch `file` into `folder`, by way of <name>.part, which the next call goes on with.

    Args:
        hosts: the hosts that may be asked, by redirect as well.
        stall_s: seconds without a single byte before a try is given up.
        n_tries: tries in a row that bring nothing new before the call is given up.

    Raises:
        DownloadError: there is no network, no such file, or what came is not the file.
        DiskFull: no space is left.
    """
    place, part = folder / file.name, folder / f"{file.name}.part"
    if place.exists() and not sources.problem(place, file=file):
        return place
    with sources.full_disk_named(folder):
        folder.mkdir(parents=True, exist_ok=True)
        _complete(part, file=file, hosts=hosts, stall_s=stall_s, n_tries=n_tries)
    problem = sources.problem(part, file=file)
    if problem:
        part.unlink()
        raise DownloadError(
            f"{file.name} as {_host(file.url)} sent it {problem}; it was removed: the same command starts it afresh; "
            "or hand over a copy with --from"
        )
    os.replace(part, place)
    return place


def _complete(part: Path, *, file: PublicFile, hosts: Collection[str], stall_s: float, n_tries: int) -> None:
    """Ask until the part is as long as the file; gives up after `n_tries` in a row that brought nothing new."""
    if file.bytes is not None and _size(part) > file.bytes:
        part.unlink()
    longest, n_failures = _size(part), 0
    for attempt in itertools.count():
        if part.exists() and _size(part) == file.bytes:
            return
        try:
            return _receive(part, file=file, hosts=hosts, stall_s=stall_s)
        except Interrupted as error:
            n_failures = 1 if _size(part) > longest else n_failures + 1
            longest = max(longest, _size(part))
            if n_failures >= n_tries or (attempt == 0 and isinstance(error, Unreachable)):
                raise
        time.sleep(PAUSE_S * n_failures)


def _receive(part: Path, *, file: PublicFile, hosts: Collection[str], stall_s: float) -> None:
    """One try: ask for what the part lacks, and write it as it comes. Returns at the end of the server's copy."""
    asked_from = _size(part)
    headers = {"Accept-Encoding": "identity"}  # a compressed answer could not be resumed
    if asked_from:
        headers["Range"] = f"bytes={asked_from}-"
    with _open(file.url, hosts=hosts, headers=headers, stall_s=stall_s) as response:
        if response.status_code == 416 and _range(response)[1] == asked_from:
            return
        start = _start(response, part=part, asked_from=asked_from)
        _refuse_page(response, file=file)
        length = response.headers.get("Content-Length", "")
        total = start + int(length) if length.isdigit() else file.bytes
        _write(response, part=part, start=start, total=total, stall_s=stall_s)
    if total is not None and _size(part) < total and "Content-Encoding" not in response.headers:
        raise Interrupted(_cut_short(response, part=part, total=total))


def _start(response: requests.Response, *, part: Path, asked_from: int) -> int:
    """The byte that the answer starts at: 0 where the server does not know ranges."""
    host, status = _host(response.url), response.status_code
    if status == 200:
        return 0
    if status == 206 and _range(response)[0] == asked_from:
        return asked_from
    if status in (206, 416):
        part.unlink(missing_ok=True)
        raise Interrupted(f"{host} has no byte {asked_from:,} to go on from; the same command starts afresh")
    what = f"{host} answered with HTTP status {status} ({response.reason}) for {urlsplit(response.url).path}"
    if status == 429 or status >= 500:
        raise Interrupted(f"{what}; try later: {GO_ON}")
    raise DownloadError(f"{what}; check the address and the proxy, or hand over a copy with --from")


def _range(response: requests.Response) -> tuple[int | None, int | None]:
    """First byte and length of the whole, as Content-Range gives them ('bytes 5-9/10', 'bytes */10')."""
    found = re.fullmatch(r"bytes (?:(\d+)-\d+|\*)/(?:(\d+)|\*)", response.headers.get("Content-Range", ""))
    first, total = found.groups() if found else (None, None)
    return first and int(first), total and int(total)


def _refuse_page(response: requests.Response, *, file: PublicFile) -> None:
    if "html" in response.headers.get("Content-Type", "").lower():
        raise DownloadError(
            f"{_host(response.url)} sent a web page instead of {file.name}, such as a proxy's or a login page; "
            "log in or check HTTPS_PROXY, or hand over a copy with --from"
        )


def _write(response: requests.Response, *, part: Path, start: int, total: int | None, stall_s: float) -> None:
    """Append from `start` on; what has come stays in the part when the connection ends."""
    bar = tqdm(total=total, initial=start, unit="B", unit_scale=True, desc=part.stem, leave=False, disable=None)
    try:
        with bar, part.open("ab" if start else "wb") as opened:
            for chunk in response.iter_content(CHUNK_BYTES):
                opened.write(chunk)
                bar.update(len(chunk))
    except (exceptions.ChunkedEncodingError, exceptions.ContentDecodingError, exceptions.SSLError) as error:
        raise Interrupted(_cut_short(response, part=part, total=total)) from error
    except exceptions.ConnectionError as error:  # in a body, requests means by it that nothing came in time
        raise Interrupted(_stalled(response.url, stall_s=stall_s)) from error


def _open(url: str, *, hosts: Collection[str], headers: dict[str, str], stall_s: float) -> requests.Response:
    """The answer after redirects, each of which must lead to a listed host, and never from https to http."""
    safe = url.startswith("https:")
    for _ in range(N_REDIRECTS + 1):
        if _host(url) not in hosts or (safe and not url.startswith("https:")):
            raise DownloadError(
                f"{_host(url)} was not asked, for it is not one of {', '.join(hosts)}, or not over https any more; "
                "check the proxy, or hand over a copy with --from"
            )
        response = _get(url, headers=headers, stall_s=stall_s)
        if not response.is_redirect:
            return response
        response.close()
        url = urljoin(url, response.headers["Location"])
    raise DownloadError(f"{_host(url)}: more than {N_REDIRECTS} redirects; hand over a copy with --from")


def _get(url: str, *, headers: dict[str, str], stall_s: float) -> requests.Response:
    timeout = (min(10.0, stall_s), stall_s)
    try:
        return requests.get(url, headers=headers, timeout=timeout, stream=True, allow_redirects=False)
    except exceptions.ReadTimeout as error:
        raise Interrupted(_stalled(url, stall_s=stall_s)) from error
    except exceptions.SSLError as error:
        raise DownloadError(
            f"{_host(url)}: its certificate is not trusted; behind a proxy that reads https, name the proxy's "
            "certificate in REQUESTS_CA_BUNDLE; or hand over a copy with --from"
        ) from error
    except exceptions.ProxyError as error:
        raise Unreachable(f"{_host(url)}: the proxy does not let through; check HTTPS_PROXY, then {GO_ON}") from error
    except exceptions.InvalidSchema as error:
        raise DownloadError(_no_way(url, said=str(error))) from error
    except exceptions.ConnectionError as error:
        raise Unreachable(f"{_host(url)} cannot be reached; check the network or HTTPS_PROXY, then {GO_ON}") from error


def _no_way(url: str, *, said: str) -> str:
    """What to do where `requests` cannot speak the kind of a proxy, or of an address."""
    if "SOCKS" not in said:
        return f"{_host(url)}: {said}; hand over a copy with --from"
    remedy = "pip install PySocks, or unset ALL_PROXY and name an HTTP proxy in HTTPS_PROXY"
    return f"{_host(url)}: a SOCKS proxy is set, which needs a further package: {remedy}; then {GO_ON}"


def _cut_short(response: requests.Response, *, part: Path, total: int | None) -> str:
    of_total = "" if total is None else f" of {total:,}"
    return f"{_host(response.url)} stopped after {_size(part):,}{of_total} bytes of {part.stem}; {GO_ON}"


def _stalled(url: str, *, stall_s: float) -> str:
    return f"{_host(url)} stalled: nothing came for {stall_s:g} seconds; {GO_ON}"


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _host(url: str) -> str:
    return urlsplit(url).hostname or url
