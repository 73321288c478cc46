"""The tutorial is run from top to bottom, as somebody would who copies it into a terminal."""

import os
import re
import subprocess
import sys
from pathlib import Path

from tests.running_service import ROOT, RunningService

PAGE = (ROOT / "docs" / "tutorial.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(sh|python)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


def script(folder: Path) -> str:
    """All of the page as one shell script: variables live on from block to block."""
    lines = []
    for number, (language, block) in enumerate(BLOCKS):
        if language == "python":
            (folder / f"block-{number}.py").write_text(block, encoding="utf-8")
            block = f"python block-{number}.py\n"
        lines.append(block)
    return "".join(lines)


def test_every_block_does_what_the_page_says(service: RunningService, tmp_path: Path) -> None:
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    done = subprocess.run(
        ["bash", "-euc", script(tmp_path)],
        cwd=tmp_path,
        env=os.environ | {"CNTK_JOBS_URL": service.url, "PATH": path, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
        timeout=280,
    )
    said = done.stdout
    assert done.returncode == 0, said + done.stderr
    assert "Traceback" not in done.stderr
    # 2: what is wrong is named with its place and the nearest name.
    assert "/learner/type: " in done.stderr
    assert "did you mean 'adam'?" in done.stderr
    assert "exit status 3" in said
    # 3 and 6: files came.
    for name in ("results/report.json", "results/curves.png", "results/model.dnn"):
        assert (tmp_path / name).stat().st_size > 0
    assert len((tmp_path / "predictions" / "predictions.jsonl").read_text().splitlines()) == 500
    # 4: the comparison names what was changed.
    assert "/learner/alpha" in said
    # 7: the client said what it saw.
    assert "succeeded {'classification_error': " in said
    assert "the fewest errors has " in said
    assert "invalid-input ['/metrics']" in said
    assert "seed-1 succeeded\nseed-2 succeeded\n" in said
