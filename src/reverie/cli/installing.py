"""Timers for machines without a server: what to write where. Nothing is written here."""

from __future__ import annotations

import shlex
import sys
from enum import StrEnum
from pathlib import Path
from typing import Final
from xml.sax.saxutils import escape

__all__ = ["Manager", "timer"]


class Manager(StrEnum):
    """What starts programs at times."""

    systemd = "systemd"
    launchd = "launchd"
    cron = "cron"


_SYSTEMD: Final = """\
# ~/.config/systemd/user/reverie-dreams.service
[Unit]
Description=Dreams of Reverie that are due

[Service]
Type=oneshot
ExecStart={command}

# ~/.config/systemd/user/reverie-dreams.timer
[Unit]
Description=Look for dreams that are due

[Timer]
OnCalendar=*:0/15
Persistent=true

[Install]
WantedBy=timers.target

# then:       systemctl --user daemon-reload && systemctl --user enable --now reverie-dreams.timer
# to remove:  systemctl --user disable --now reverie-dreams.timer
"""
_LAUNCHD: Final = """\
<?xml version="1.0" encoding="UTF-8"?>
<!-- ~/Library/LaunchAgents/reverie.dreams.plist
     then:       launchctl bootstrap gui/$UID ~/Library/LaunchAgents/reverie.dreams.plist
     to remove:  launchctl bootout gui/$UID/reverie.dreams -->
<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">
<plist version="1.0">
<dict>
  <key>Label</key><string>reverie.dreams</string>
  <key>ProgramArguments</key>
  <array>
{arguments}
  </array>
  <key>StartInterval</key><integer>900</integer>
  <key>RunAtLoad</key><true/>
</dict>
</plist>
"""
_CRON: Final = """\
# crontab -e, and add (to remove it, delete the line):
*/15 * * * * {command}
"""


def timer(manager: Manager, db: str) -> str:
    """A timer that looks every quarter of an hour for dreams that are due in a database (a path or a URL), as text
    with what to do with it."""
    where = db if "://" in db else str(Path(db).expanduser().absolute())
    arguments = [str(Path(sys.argv[0]).absolute()), "schedule", "run", "--due", "--db", where]
    match manager:
        case Manager.systemd:
            return _SYSTEMD.format(command=" ".join(map(_quoted, arguments)))
        case Manager.launchd:
            told = "\n".join(f"    <string>{escape(each)}</string>" for each in arguments)
            return _LAUNCHD.format(arguments=told)
        case Manager.cron:
            return _CRON.format(command=shlex.join(arguments).replace("%", r"\%"))


def _quoted(argument: str) -> str:
    """As systemd reads it: in double quotes where need be, ``%`` and ``$`` doubled."""
    plain = argument.replace("%", "%%").replace("$", "$$").replace("\\", "\\\\").replace('"', '\\"')
    return f'"{plain}"' if plain != argument or any(c.isspace() or c in "';" for c in plain) else plain
