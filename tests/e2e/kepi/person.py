"""Makes a person at kepi who has a token: `person.py <name> <password> <token>`."""

import sys
from datetime import timedelta

import django

django.setup()

from django.utils.timezone import now  # noqa: E402
from kepi.trilby_api.models import TrilbyUser  # noqa: E402
from oauth2_provider.models import AccessToken  # noqa: E402

name, password, token = sys.argv[1:]
person = TrilbyUser(username=name)
person.set_password(password)
person.save()
AccessToken.objects.create(user=person, token=token, scope="read write", expires=now() + timedelta(days=1))
