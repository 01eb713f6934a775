# What runs in a node's own pods, all in one image: they share its layers, and each pod names its program.
ARG BASE_IMAGE=docker.io/library/debian:bookworm-slim
FROM ${BASE_IMAGE}
ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
RUN apt-get update -qq \
    && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
        conntrack ipset iproute2 iptables kmod nftables \
    && rm -rf /var/lib/apt/lists /var/cache/apt/archives
COPY programs/ /usr/local/bin/
# Where training-operator's Deployment starts it.
RUN ln -s /usr/local/bin/training-operator /manager
# The one whose Deployment gives arguments only.
ENTRYPOINT ["/usr/local/bin/coredns"]
