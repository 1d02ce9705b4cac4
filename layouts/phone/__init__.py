"""The phone terminal: a light static page; everything that moves is in `layouts/assets/phone/`.

Why it is no Dash page: `docs/adr/0007-phone-is-a-light-page.md`.
"""

from layouts.phone.shell import boot_source, manifest, page, service_worker, shell_files, shell_version

__all__ = ["boot_source", "manifest", "page", "service_worker", "shell_files", "shell_version"]
