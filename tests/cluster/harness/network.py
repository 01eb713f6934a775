"""The cluster's network: one bridge for the pods of both nodes, inside the cluster's network namespace."""

from tests.cluster.harness.layout import BRIDGE, HUB, ISSUER_ADDRESS, NODES, SERVICES, node_address
from tests.cluster.harness.sandbox import Sandbox


def make_network(sandbox: Sandbox) -> None:
    """Make the bridge with the addresses of the control plane and of the nodes."""
    sandbox.run("ip", "link", "add", BRIDGE, "type", "bridge")
    sandbox.run("ip", "address", "add", f"{HUB}/16", "dev", BRIDGE)
    for node in NODES:
        sandbox.run("ip", "address", "add", f"{node_address(node)}/16", "dev", BRIDGE)
    sandbox.run("ip", "address", "add", f"{ISSUER_ADDRESS}/32", "dev", BRIDGE)
    sandbox.run("ip", "link", "set", BRIDGE, "up")
    # The API server calls webhooks at a service's address, which kube-proxy translates if there is a route.
    sandbox.run("ip", "route", "add", SERVICES, "dev", BRIDGE, "src", HUB)
    # Per network namespace: the machine's own setting stays. bridge-nf-call-iptables is 1 by default: answers
    # between two pods of the bridge pass the service's address translation too.
    sandbox.run("sysctl", "-qw", "net.ipv4.ip_forward=1")
