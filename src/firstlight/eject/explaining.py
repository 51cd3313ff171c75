"""The lines of a script that show what moved an answer: the other half of step 4."""

from __future__ import annotations

import re

from firstlight.eject.modelling import answers_of_network, mapping
from firstlight.model.why import MOST_TOLD, occlusions_of
from firstlight.plan.plan import Plan


def why_of_first_row(plan: Plan, encoded: list[str]) -> list[str]:
    """The parts of the first test row's first text or sequence that moved the network's answer; none without one.

    encoded: the expressions that encode `rows`.
    """
    for column, occlusion in occlusions_of(plan).items():
        changes = f"{occlusion.changes.__name__}({occlusion.cell.format(column=column)}, most={occlusion.most})"
        number = "number" if "{number}" in occlusion.told else "_"
        classes = plan.target.task == "classification"
        answer = "{labels[int(answers[0].argmax())]}" if classes else "{answers[0]:.6g}"
        effect = "{effect:+.2f}" if classes else "{effect:+.4g}"
        return [
            f"# Why: the first test row as it is, then with each {occlusion.noun} {occlusion.done} in turn",
            "row = rows[test[:1].numpy()]",
            f"changes = list({changes})",
            f"asked = {occlusion.with_changes.__name__}(row, {column!r}, changes)",
            *mapping("unseen = ", [re.sub(r"\brows\b", "asked", each) for each in encoded], ""),
            *(line.replace("len(test)", "len(asked)") for line in answers_of_network(plan)),
            f'print(f"the first test row is answered with {answer}; what moved it most:")',
            f"for {number}, part, effect in moved_by(changes, answers)[:{MOST_TOLD}]:",
            f"    print(f'  {effect}  {occlusion.told}')",
            "",
        ]
    return []
