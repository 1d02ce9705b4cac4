"""`make reset`: stop what runs in `var` and clear it. Standard library only: works without an environment."""

from __future__ import annotations

import os
import shutil
import signal
import sys
from pathlib import Path

from deploy.bare.__main__ import services
from deploy.embedded import forget, holder
from deploy.place import Place
from deploy.processes import identify, put_down
from deploy.refusal import Refusal, from_os_error, tell
from deploy.service import stop
from deploy.text import text
from settings import BadSetting, read

_PATIENCE_S = 60.0


def reset(var: Path) -> None:
    """Stop the supervisor of `var` in order, whatever a killed one left and `deploy.bare`; delete it all."""
    pid = holder(var)
    who = identify(pid) if pid else None
    if who is not None and not put_down(who, ((signal.SIGTERM, _PATIENCE_S), (signal.SIGKILL, 5))):
        raise Refusal(f"进程 {pid} 无法停止", f"process {pid} does not stop")
    if (var / "bare" / "state.json").exists():
        for service in services(Place(var / "bare")).values():
            stop(service)
    forget(var)
    if var.is_dir():
        for path in var.iterdir():
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink()


def main() -> int:
    """0 when cleared; 1 with one sentence."""
    try:
        var = read().var.resolve()
        root = Path(__file__).resolve().parents[1]
        if var in (root, *root.parents, Path.home()):
            raise Refusal(f"CHENGYUN_VAR={var} 不能清空", f"CHENGYUN_VAR={var} is no folder to clear")
        reset(var)
    except (Refusal, BadSetting) as error:
        tell(error if isinstance(error, Refusal) else Refusal(f"设置有误：{error}", str(error)))
        return 1
    except OSError as error:
        tell(from_os_error(error))
        return 1
    print(text("reset", var=os.fspath(var)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
