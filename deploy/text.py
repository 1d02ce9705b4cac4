"""What the supervisor says on the terminal, Chinese and English (the screens have their own catalogue)."""

from __future__ import annotations

TEXT: dict[str, tuple[str, str]] = {
    "server": ("{name} 就绪（{seconds:.1f} 秒）", "{name} answers ({seconds:.1f} s)"),
    "migrate": ("数据库结构已更新（{seconds:.1f} 秒）", "database schema is up to date ({seconds:.1f} s)"),
    "init": ("示例城市已载入（{seconds:.1f} 秒）", "sample city is loaded ({seconds:.1f} s)"),
    "child": ("启动 {name}", "starting {name}"),
    "waiting": ("等待：{what}", "waiting for: {what}"),
    "died": (
        "{name} 退出（{code}），{seconds:.0f} 秒后重新启动，日志 {log}",
        "{name} ended ({code}), starting it again in {seconds:.0f} s, log {log}",
    ),
    "back": ("{name} 已恢复", "{name} is back"),
    "accounts": ("示例账号：{path}", "sample accounts: {path}"),
    "no_accounts": (
        "{path} 不在：尚未改过初始密码的账号须由管理员重置密码；管理员也无法登录时，make reset 重新开始",
        "{path} is not there: accounts that never changed their first password need a new one from an administrator;"
        " if the administrator cannot log in either, make reset starts anew",
    ),
    "certificate": (
        "手机首次使用请安装证书 {path}",
        "phones: install the certificate {path} once",
    ),
    "scan": ("手机扫码：{url}", "scan with a phone: {url}"),
    "stopping": ("正在停止", "stopping"),
    "stopped": ("已停止，数据保留在 {var}", "stopped; the data stay in {var}"),
    "reset": ("已清空 {var}", "{var} is cleared"),
}


def text(key: str, **values: object) -> str:
    """One line: Chinese | English."""
    zh, en = TEXT[key]
    return f"{zh.format(**values)} | {en.format(**values)}"
