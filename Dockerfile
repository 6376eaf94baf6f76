# visavis serve on a CPU, without torch, from what is in the repository:
#   docker build -t visavis .    docker run --rm -p 8000:8000 visavis
FROM python:3.12-slim
WORKDIR /app
COPY pyproject.toml README.md LICENSE ./
COPY visavis visavis
RUN pip install --no-cache-dir '.[serve]' && useradd --create-home visavis
USER visavis
EXPOSE 8000
HEALTHCHECK CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/healthz')"]
ENTRYPOINT ["visavis", "serve", "--host", "0.0.0.0", "--no-browser"]
