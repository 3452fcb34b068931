"""The HTML that the portal shows to people, and that comes where JSON was due when something is wrong."""

from __future__ import annotations


def _page(title: str, body: str) -> str:
    return f'<!DOCTYPE html>\n<html lang="ru"><head><title>{title}</title></head><body>{body}</body></html>\n'


SHELL = _page("Росреестр", '<div id="root"></div><script src="/static/app.js"></script>')
MAINTENANCE = _page("Технические работы", "<h1>Ведутся технические работы</h1><p>Сервис временно недоступен.</p>")
FORBIDDEN = _page("Forbidden", "<h1>Forbidden</h1><p>Request ID: 0000000000000000, rule: 000000</p>")
CAPTCHA = _page("Госуслуги", '<p>Введите код с картинки</p><img src="captcha.png" alt=""><input name="captcha">')
ANOMALY = _page("Госуслуги", "<p>Подтвердите, что это вы<br>Укажите город, в котором вы родились</p><input>")
ESIA = _page("Госуслуги", '<form><input name="login"><input name="password" type="password"></form>')
