"""kepi's own settings, and what has to be otherwise for it to run on a Python of today, for one test."""

import os
import sys
from types import SimpleNamespace
from typing import Any

# It is of Celery 3, which no Python since 3.7 can read; kepi calls nothing else of it.
sys.modules["djcelery"] = SimpleNamespace(setup_loader=lambda: None)  # type: ignore[assignment]

from kepi.kepi.settings import *  # noqa: E402, F403
from kepi.kepi.settings import INSTALLED_APPS as ALL_APPS  # noqa: E402
from kepi.kepi.settings import KEPI as HOUSE  # noqa: E402
from kepi.kepi.settings import OAUTH2_PROVIDER as PROVIDER  # noqa: E402
from kepi.trilby_api.apps import TrilbyApiConfig  # noqa: E402

# Django before 3.2 never looked at it.
TrilbyApiConfig.name = "kepi.trilby_api"

ABSENT = ("djcelery", "django_celery_results", "django_fields")
INSTALLED_APPS = [name for name in ALL_APPS if name not in ABSENT]

DEBUG = False
ALLOWED_HOSTS = ["127.0.0.1"]
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": os.environ["KEPI_DATABASE"]}}
DEFAULT_AUTO_FIELD = "django.db.models.AutoField"
KEPI = HOUSE | {"LOCAL_OBJECT_HOSTNAME": "kepi.test"}

# It knows `read`, `write` and `follow` alone; the finer ones that Mastodon has had since 2018 an operator can add.
FINER = os.environ.get("KEPI_SCOPES", "").split()
OAUTH2_PROVIDER: dict[str, Any] = PROVIDER | {"SCOPES": PROVIDER["SCOPES"] | {scope: scope for scope in FINER}}
