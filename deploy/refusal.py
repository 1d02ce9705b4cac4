"""Why nothing was started, in one sentence, Chinese first and English beside it."""

from __future__ import annotations

import errno
import sys
from pathlib import Path


class Refusal(Exception):
    """Something outside the program stands in the way; `str()` is the whole sentence for the terminal."""

    def __init__(self, zh: str, en: str) -> None:
        super().__init__(f"{zh} | {en}")
        self.zh = zh
        self.en = en


def from_os_error(error: OSError, doing: Path | None = None) -> Refusal:
    """The sentence for an operating-system error: full disk, missing right, read-only place, anything else."""
    where = str(error.filename or doing or "")
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return Refusal(f"磁盘已满，无法写入 {where}", f"the disk is full: cannot write {where}")
    if error.errno in (errno.EACCES, errno.EPERM):
        return Refusal(
            f"没有权限访问 {where}（可能由另一个用户创建）",
            f"no permission for {where} (it may belong to another user)",
        )
    if error.errno == errno.EROFS:
        return Refusal(f"{where} 所在的文件系统只读", f"the file system of {where} is read-only")
    return Refusal(f"系统错误：{error.strerror} {where}", f"system error: {error.strerror} {where}")


def tell(refusal: Refusal) -> None:
    """Print the sentence on stderr."""
    print(f"chengyun: {refusal}", file=sys.stderr, flush=True)
