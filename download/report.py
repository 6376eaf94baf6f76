"""What a run says at its end: a table of reasons, a line of advice where the pattern is known, and a chart."""

import os
from pathlib import Path

from download.reasons import REASONS
from download.tally import Tally
from visavis.messages import counted, say

CHART = "downloads.png"

_COLOURS = {"ok": "#2a7f4f", "failed": "#d9902f", "refused": "#9a9a9a"}
_FEWEST = 10  # a pattern of fewer than that is none

ADVICE: dict[str, str] = {
    "dns": "look at your resolver (does `getent hosts example.com` answer?); if it is well, the domains are gone",
    "connect": "look at your network, firewall and HTTP(S)_PROXY; if they are well, the servers are gone",
    "timeout": "the line may be too full: fewer --connections, or a longer --timeout and --deadline",
    "http_429": "ask more slowly: a smaller --per-host, and `--retry http_429` tomorrow",
    "http_5xx": "the servers are in trouble: `--retry http_5xx` tomorrow",
    "truncated": "the line may be bad, or a proxy cuts answers off: `--retry truncated`",
    "http_403": "the sites do not want this: --contact with an address of yours may help them to say why",
    "http_404": "the photos are gone from there: nothing to be done",
    "http_410": "the photos are no longer there: nothing can be done",
    "not_image": "look at one in a browser: your own network may show a page instead (a log-in, a filter)",
    "private_address": "if the servers are yours, give --allow-private; else a filter or log-in page answers for them",
    "robots": "the sites ask programs not to fetch these; --ignore-robots fetches them anyway",
    "robots_unreachable": "the sites' robots.txt cannot be read, so they are left alone: `--retry failed` tomorrow",
    "tls": "check the clock; if your proxy intercepts TLS, set SSL_CERT_FILE to its certificate, or give --insecure",
    "too_large": "a larger --max-bytes or --max-pixels fetches them",
    "retry_later": "the hosts asked for a longer pause: `--retry retry_later` tomorrow",
    "placeholder": "a picture that says `not available`: the photos are no longer there",
}


def report(tally: Tally, data: Path, scratch: Path) -> None:
    """Report the outcomes, and draw a chart of them into the data folder."""
    for line in table(tally) + advice(tally):
        say(line)
    if tally.outcomes.total():
        chart(tally, scratch / CHART)
        os.replace(scratch / CHART, data / CHART)
        say(f"drawn in {data / CHART}")


def table(tally: Tally) -> list[str]:
    """One line per outcome, the most frequent first; they add up to all images unless the run was stopped."""
    lines = []
    for outcome, count in (+tally.outcomes).most_common():
        status, meaning = REASONS.get(outcome, ("ok", "the photo is in images/"))
        lines.append(f"{count:>9,}  {outcome:<18} {status:<8} {meaning}; e.g. {tally.examples[outcome]}")
    return [*lines, f"{tally.outcomes.total():>9,}  in all, of {counted(tally.total, 'image')}"]


def advice(tally: Tally) -> list[str]:
    """What to do if most missing images have the same reason, or if most with one reason have the same host."""
    missing = tally.outcomes.total() - tally.outcomes["ok"]
    lines = []
    for reason, count in (+tally.outcomes).most_common():
        if reason == "ok" or count < _FEWEST or reason not in ADVICE:
            continue
        host = tally.foremost(reason)
        if count * 2 >= missing:
            lines.append(
                f"most of the missing images are `{reason}`{f', mostly from {host}' if host else ''}: {ADVICE[reason]}"
            )
        elif host:
            lines.append(f"most of the `{reason}` are from {host}: {ADVICE[reason]}")
    return lines


def chart(tally: Tally, path: Path) -> None:
    """Draw the outcomes as bars into a PNG."""
    from matplotlib.figure import Figure

    counts = (+tally.outcomes).most_common()[::-1]
    figure = Figure(figsize=(7, 0.8 + 0.28 * len(counts)), dpi=100, layout="constrained")
    axes = figure.subplots()
    names = [outcome for outcome, _ in counts]
    colours = [_COLOURS[REASONS.get(outcome, ("ok", ""))[0]] for outcome in names]
    bars = axes.barh(names, [count for _, count in counts], color=colours)
    axes.bar_label(bars, [f"{count:,}" for _, count in counts], padding=3, fontsize=8)
    axes.margins(x=0.15)
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(labelsize=8)
    axes.set_title("images by outcome: ok (green), failed (orange, may be tried again), refused (grey)", fontsize=9)
    figure.savefig(path, format="png")
