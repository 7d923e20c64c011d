"""Somebody at an identity provider's pages: fills in whatever form comes, until there is none.

Usage: human.py URL NAME [CODE]: opens URL, types CODE where it is asked for, and logs in as NAME.
"""

import http.cookiejar
import re
import sys
import urllib.error
import urllib.parse
import urllib.request
from html import unescape

url, name, code = [*sys.argv[1:], ""][:3]
typed = {"user_code": code, "login": name, "password": "any"}
cookies = urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar())
browser = urllib.request.build_opener(urllib.request.ProxyHandler({}), cookies)


def attributes(tag):
    return {key: unescape(value) for key, value in re.findall(r'([\w-]+)="([^"]*)"', tag)}


def fetch(url, fields=None):
    data = urllib.parse.urlencode(fields).encode() if fields is not None else None
    try:
        with browser.open(url, data, timeout=20) as page:
            return page.geturl(), page.read().decode()
    except urllib.error.HTTPError as refused:
        return refused.geturl(), refused.read().decode()


url, page = fetch(url)
for _ in range(10):
    form = re.search(r"<form.*?</form>", page, re.S)
    if not form:
        break
    inputs = [attributes(tag) for tag in re.findall(r"<(?:input|button)\b[^>]*>", form[0], re.S)]
    fields = {field["name"]: field.get("value", "") for field in inputs if "name" in field and field.get("name") != "abort"}
    fields |= {key: value for key, value in typed.items() if key in fields}
    action = attributes(re.search(r"<form\b[^>]*>", form[0], re.S)[0]).get("action", "")
    url, page = fetch(urllib.parse.urljoin(url, action), fields)
print(re.sub(r"<style.*?</style>|<script.*?</script>|<[^>]*>|\s+", " ", page, flags=re.S).strip()[:600])
