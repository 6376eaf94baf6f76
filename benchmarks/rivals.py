"""The downloaders that ours is compared with, as programs of their own."""

PLAIN = """
import sys, requests
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

work, connections = Path(sys.argv[1]), int(sys.argv[2])
urls = (work / "urls").read_text().split("\\n")
session = requests.Session()
session.mount("http://", requests.adapters.HTTPAdapter(pool_maxsize=connections))

def fetch(number):
    try:
        answer = session.get(urls[number], timeout=10)
        if answer.status_code == 200:
            (work / "out" / f"{number}.jpg").write_bytes(answer.content)
    except requests.RequestException:
        pass

with ThreadPoolExecutor(connections) as pool:
    list(pool.map(fetch, range(len(urls))))
"""
"""Arguments: a folder with a file `urls` and a folder `out`, and how many connections. It checks nothing."""

IMG2DATASET = """
import sys
from pathlib import Path
from img2dataset import download

if __name__ == "__main__":
    work, threads, shard = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    (work / "urls").rename(work / "urls.txt")
    download(
        url_list=str(work / "urls.txt"), input_format="txt", output_folder=str(work / "out"), output_format="files",
        processes_count=2, thread_count=threads, number_sample_per_shard=shard,
        disable_all_reencoding=True, resize_mode="no", retries=0, timeout=10,
    )
"""
"""Arguments: a folder with a file `urls`, connections in each of two processes, addresses in a shard."""
