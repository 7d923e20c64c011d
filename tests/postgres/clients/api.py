"""Asks the control API once: python api.py URL [BODY]. Prints the status, then what was said."""

import os
import ssl
import sys
import urllib.error
import urllib.request

request = urllib.request.Request(sys.argv[1])
if os.environ.get("API_TOKEN"):
    request.add_header("Authorization", "Bearer " + os.environ["API_TOKEN"])
if len(sys.argv) > 2:
    request.data = sys.argv[2].encode()
    request.add_header("Content-Type", "application/json")
context = ssl.create_default_context(cafile=os.environ["API_AUTHORITY"])
try:
    with urllib.request.urlopen(request, context=context, timeout=30) as response:
        print(response.status, flush=True)
        sys.stdout.buffer.write(response.read())
except urllib.error.HTTPError as error:
    print(error.code)
    print(error.read().decode())
