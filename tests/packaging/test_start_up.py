"""What the tool imports before it knows what it is asked."""

import subprocess
import sys

import pytest

COSTLY = {"numpy", "pandas", "sklearn", "boto3", "aws_cdk", "onnxruntime", "fastapi"}


@pytest.mark.parametrize(
    "code",
    [
        "import lightship",
        "import lightship.isolation",
        "from lightship.cli import main",
        "import lightship.lambda_host, lightship.serving",
    ],
)
def test_start_up_imports_no_heavy_library(code: str) -> None:
    program = f"{code}\nimport sys; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert set(done.stdout.split()) & COSTLY == set()


def test_the_monitoring_functions_are_the_packages_own() -> None:
    import lightship
    from lightship import monitoring

    assert lightship.monitor is monitoring.monitor
    assert lightship.make_baseline is monitoring.make_baseline
    with pytest.raises(AttributeError, match="no attribute 'polish'"):
        _ = lightship.polish
