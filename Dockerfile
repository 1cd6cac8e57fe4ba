# The workflow with everything it needs, for Docker, Podman or (docker build, then apptainer build) a cluster:
#
#     docker build --tag neds-flow .
#     docker run --rm --volume "$PWD/mine:/mine" --workdir /mine neds-flow --snakefile /neds-flow/Snakefile --cores all
#
# On a GPU machine add --gpus all: the requirement file gives PyPI's CUDA build of torch.
FROM python:3.11-slim
WORKDIR /neds-flow
COPY . .
RUN apt-get update && apt-get install --yes --no-install-recommends make && rm -rf /var/lib/apt/lists/* && make install
ENV PATH=/neds-flow/.venv/bin:$PATH
ENTRYPOINT ["snakemake"]
CMD ["--help"]
