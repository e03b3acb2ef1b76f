"""How right sizing is: every row of a file of observations, predicted from its command line and compared.

Without a file of one's own, computed bytes of checkpoints are compared with published ones besides (``checkpoints.py``).
Nothing is left out silently: a row that cannot be predicted stands in the notes with its reason, and each row's figures
in build/bench/sizing-rows.csv.
"""

import csv
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from controller.sizing.catalog import Catalog
from controller.sizing.engine_constants import CONSTANTS, GIB, EngineConstants
from controller.sizing.verdict import Outcome
from tests.benchmarks.report import FOLDER, Report, Row, figure, percentile
from tests.benchmarks.sizing.at_risk import at_risk_notes
from tests.benchmarks.sizing.checkpoints import CheckpointError, by_precision, checkpoint_errors
from tests.benchmarks.sizing.fitting import Sample, fitted
from tests.benchmarks.sizing.identity import Names
from tests.benchmarks.sizing.measures import Measured, formula_applies, measured
from tests.benchmarks.sizing.need import contradicted, needs
from tests.benchmarks.sizing.observation import FILE, read
from tests.benchmarks.sizing.starts import NotPredictable, start_of
from tests.benchmarks.thresholds import bounds

NAME = "sizing"

_FAR_OFF = 0.15
"""From which error of KV tokens a row is named in the notes."""

_CHECKPOINT_OFF = 0.01
"""The same of a checkpoint."""


@dataclass(frozen=True, slots=True)
class Rows:
    """A file's rows: those that can be predicted, and why the others cannot."""

    samples: tuple[Sample, ...]
    excluded: tuple[tuple[str, str], ...]

    @property
    def count(self) -> int:
        """All of them."""
        return len(self.samples) + len(self.excluded)


def run(data: str = "", folder: Path = FOLDER) -> Report:
    """Measure the bundled observations, or those of the file ``data``. Raises SettingsError for a file of another kind."""
    path = Path(data) if data else FILE
    catalog = Catalog.bundled()
    names = Names(catalog)
    rows = sort_out(path, names)
    found = [measured(sample.row, sample.start) for sample in rows.samples]
    without = left_out(rows.samples)
    checkpoints = () if data else checkpoint_errors(catalog)
    results = [
        *_checkpoints(checkpoints),
        *_errors(found),
        *_bands(found, ""),
        *_verdicts(found, ""),
        *_needs(found),
        *_left_out_errors(without),
    ]
    _write_rows(folder, found, rows.excluded)
    return Report(
        name=NAME,
        runs=1,
        settings={"data": str(path) if data else "bundled", "rows": rows.count, "predicted": len(found)},
        results=results,
        notes=[
            *_checkpoint_notes(checkpoints),
            *_exclusions(rows),
            *_misses(found),
            *_vendors(found),
            *at_risk_notes(found),
            *_classes(without),
            *_constants(fitted(rows.samples)),
        ],
    )


def sort_out(path: Path, names: Names) -> Rows:
    """Which rows can be predicted."""
    observations, unreadable = read(path)
    samples: list[Sample] = []
    excluded = [(row.label, row.reason) for row in unreadable]
    for row in observations:
        try:
            samples.append(Sample(row, start_of(row, names)))
        except NotPredictable as error:
            excluded.append((row.label, str(error)))
    return Rows(tuple(samples), tuple(excluded))


def left_out(samples: Sequence[Sample]) -> Mapping[str, Sequence[Measured]]:
    """Each class of architectures, with constants that were estimated without it."""
    classes = sorted({sample.row.kind for sample in samples})
    return {
        kind: [
            measured(sample.row, sample.start, constants)
            for constants in [fitted([other for other in samples if other.row.kind != kind])]
            for sample in samples
            if sample.row.kind == kind
        ]
        for kind in classes
    }


def _bounded(metric: str, value: float, samples: Sequence[float], unit: str = "share") -> Row:
    return figure(metric, unit, value, samples, bounds(NAME).get(metric))


def _percentiles(metric: str, errors: Iterable[float | None], *percents: int) -> list[Row]:
    sizes = [abs(error) for error in errors if error is not None]
    return [
        _bounded(f"{metric}_p{percent}", percentile(sizes, percent), sizes, f"share, {len(sizes)} rows")
        for percent in percents
        if sizes
    ]


def _checkpoints(found: Sequence[CheckpointError]) -> list[Row]:
    return _percentiles("weights_error", [checkpoint.error for checkpoint in found], 50, 95)


def _checkpoint_notes(found: Sequence[CheckpointError]) -> list[str]:
    if not found:
        return ["", "bytes of checkpoints: of the catalogue, not of this file; a run without DATA compares them"]
    lines = ["", "weights_error: published bytes of checkpoints against their shapes, models, p50 and largest error"]
    for group, errors in by_precision(found).items():
        sizes = [abs(checkpoint.error) for checkpoint in errors]
        lines.append(f"  {group}: {len(sizes)}, {percentile(sizes, 50):.3%} {max(sizes):.2%}")
    far = [checkpoint for checkpoint in found if abs(checkpoint.error) > _CHECKPOINT_OFF]
    lines.append(f"  off by more than {_CHECKPOINT_OFF:.0%}: {len(far)}")
    return [*lines, *(f"    {checkpoint.model_id} ({checkpoint.kind}): {checkpoint.error:+.1%}" for checkpoint in far)]


def _errors(found: Sequence[Measured]) -> list[Row]:
    per_token = [row.kv_bytes_per_token_error for row in found if formula_applies(row)]
    return [
        *_percentiles("weights_log_error", [row.weights_error for row in found], 50, 95),
        *_percentiles("kv_bytes_per_token_error", per_token, 50),
        *_percentiles("kv_tokens_error", [row.kv_tokens_error for row in found], 50, 90),
    ]


def _left_out_errors(without: Mapping[str, Sequence[Measured]]) -> list[Row]:
    found = [row for rows in without.values() for row in rows]
    errors = _percentiles("class_left_out_kv_tokens_error", [row.kv_tokens_error for row in found], 50, 90)
    return [*errors, *_bands(found, "class_left_out_"), *_verdicts(found, "class_left_out_")]


def _bands(found: Sequence[Measured], prefix: str) -> list[Row]:
    """How many of the starts that print all parts but the cache lie within the uncertainty of their sizing."""
    within = [float(row.within_band) for row in found if row.need is not None]
    if not within:
        return []
    share = sum(within) / len(within)
    return [_bounded(f"{prefix}need_within_uncertainty", share, within, f"share, {len(within)} rows")]


def _verdicts(found: Sequence[Measured], prefix: str) -> list[Row]:
    failed = [row for row in found if row.failed]
    succeeded = [row for row in found if row.failed is False]
    rows = []
    if failed:
        safe = [float(row.verdict.outcome is Outcome.SAFE) for row in failed]
        certain = [float(row.verdict.outcome is Outcome.FAILS) for row in failed]
        rows.append(_bounded(f"{prefix}failed_called_safe", sum(safe), safe, f"rows of {len(failed)}"))
        rows.append(
            _bounded(f"{prefix}failed_called_failing", sum(certain), certain, f"rows of {len(failed)}, rest at risk")
        )
    if succeeded:
        safe = [float(row.verdict.outcome is Outcome.SAFE) for row in succeeded]
        share = sum(safe) / len(safe)
        rows.append(_bounded(f"{prefix}succeeded_called_safe", share, safe, f"share, {len(safe)} rows"))
    return rows


def _needs(found: Sequence[Measured]) -> list[Row]:
    """How often a need fits a device of AMD's on which the start failed, or is called failing."""
    needed = needs(found)
    if not needed:
        return []
    wrong = contradicted(needed)
    samples = [float(one in wrong) for one in needed]
    return [_bounded("need_fits_and_fails", sum(samples), samples, f"rows of {len(needed)}, AMD")]


def _exclusions(rows: Rows) -> list[str]:
    reasons: dict[str, list[str]] = defaultdict(list)
    for label, reason in rows.excluded:
        reasons[reason].append(label)
    head = f"not predictable: {len(rows.excluded)} of {rows.count} rows"
    return ["", head, *(f"  {reason}: {', '.join(labels)}" for reason, labels in sorted(reasons.items()))]


def _misses(found: Sequence[Measured]) -> list[str]:
    far = [
        f"  {row.row.label} {row.row.model}: KV tokens {row.kv_tokens_error:+.0%}"
        for row in found
        if row.kv_tokens_error is not None and abs(row.kv_tokens_error) > _FAR_OFF
    ]
    wrong = [
        f"  {row.row.label} {row.row.model}: {row.row.outcome}, called {row.verdict.outcome} ({row.verdict.reason})"
        for row in found
        if row.failed is False and row.verdict.outcome is not Outcome.SAFE
    ]
    failed = [
        f"  {row.row.label} {row.row.model}: {row.row.outcome}, called {row.verdict.outcome} ({row.verdict.reason})"
        for row in found
        if row.failed
    ]
    outside = [
        f"  {row.row.label} {row.row.model}: {row.need / GIB:.2f} GiB, expected {row.band.low_bytes / GIB:.2f} to "
        f"{row.band.high_bytes / GIB:.2f}"
        for row in found
        if row.need is not None and not row.within_band
    ]
    outside.insert(0, "need without the KV cache outside the uncertainty:")
    return ["", "off by more than 15 %:", *far, *outside, "started, and not called safe:", *wrong, "failed:", *failed]


def _vendors(found: Sequence[Measured]) -> list[str]:
    by_vendor: dict[str, list[Measured]] = defaultdict(list)
    for row in found:
        by_vendor[row.row.gpu_vendor or f"vendor not said, {row.start.settings.platform}"].append(row)
    lines = ["", "by vendor of the GPU: KV tokens, p50 and p90; verdicts"]
    for vendor, rows in sorted(by_vendor.items()):
        lines.append(f"  {vendor}: {_tokens_of(rows)}; {_verdicts_of(rows)}")
    return lines


def _tokens_of(rows: Sequence[Measured]) -> str:
    errors = [abs(row.kv_tokens_error) for row in rows if row.kv_tokens_error is not None]
    if not errors:
        return "no tokens printed"
    return f"{len(errors)} rows, {percentile(errors, 50):.2%} {percentile(errors, 90):.1%}"


def _verdicts_of(rows: Sequence[Measured]) -> str:
    """How many that succeeded were called safe, and what those that failed were called."""
    succeeded = [row.verdict.outcome for row in rows if row.failed is False]
    failed = [row.verdict.outcome for row in rows if row.failed]
    fails, risk = failed.count(Outcome.FAILS), failed.count(Outcome.AT_RISK)
    text = f"{succeeded.count(Outcome.SAFE)} of {len(succeeded)} that started called safe"
    return text + (f", {fails} of {len(failed)} that failed called failing, {risk} at risk" if failed else "")


def _classes(without: Mapping[str, Sequence[Measured]]) -> list[str]:
    lines = ["", "constants estimated without the class: KV tokens, p50 and largest error"]
    for kind, found in without.items():
        errors = [abs(row.kv_tokens_error) for row in found if row.kv_tokens_error is not None]
        figures = f"{percentile(errors, 50):.2%} {max(errors):.1%}" if errors else "nothing printed"
        lines.append(f"  {kind}: {len(errors)} rows, {figures}")
    return lines


def _constants(estimated: EngineConstants) -> list[str]:
    lines = ["", "constants: estimated from these rows, and shipped"]
    shipped = asdict(CONSTANTS)
    for name, value in asdict(estimated).items():
        lines.append(f"  {name}: {_readable(value)}, {_readable(shipped[name])}")
    return lines


def _readable(value: float | None) -> str:
    if value is None:
        return "not measured"
    if value < 1:
        return f"{value:.2f}"
    return f"{value / 2**30:.3f} GiB" if value > 1000 else f"{value:.2f} bytes"


def _write_rows(folder: Path, found: Sequence[Measured], excluded: Iterable[tuple[str, str]]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / f"{NAME}-rows.csv").open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file)
        table.writerow(
            ("row", "model", "outcome", "verdict", "reason", "weights", "kv_per_token", "tokens", "kv_tokens")
        )
        for row in found:
            errors = (row.weights_error, row.kv_bytes_per_token_error, row.kv_tokens_error)
            written = ["" if error is None else f"{error:+.4f}" for error in errors]
            verdict = row.verdict
            said = (row.row.label, row.row.model, row.row.outcome, verdict.outcome, verdict.reason)
            table.writerow((*said, *written[:2], row.kv_tokens, written[2]))
        for label, reason in excluded:
            table.writerow((label, "", "", "not predictable", reason, "", "", "", ""))
