/// What runs inside the network namespaces of `PacketStage`: Python, with the standard library only.
enum PacketPrograms {
  /// Sends what a pod with all rights over its own link could send. Arguments: the try's name, its token, and facts as JSON.
  static let pod = #"""
    import json, socket, struct, sys

    name, token, facts = sys.argv[1], sys.argv[2].encode(), json.loads(sys.argv[3])
    me, my_mac, gateway, gateway_mac = facts["me"], facts["my_mac"], facts["gateway"], facts["gateway_mac"]
    victim, ally, friend, ally_mac = facts["victim"], facts["ally"], facts["friend"], facts["ally_mac"]
    node, outside, port = facts["node"], facts["outside"], facts["port"]

    def mac(text): return bytes(int(part, 16) for part in text.split(":"))
    def total(data):
        data += b"\0" * (len(data) % 2)
        value = sum(struct.unpack("!%dH" % (len(data) // 2), data))
        while value >> 16: value = (value & 0xffff) + (value >> 16)
        return ~value & 0xffff
    def ip(source, target, payload, protocol=17, options=b"", fragment=0, number=7):
        options += b"\0" * (-len(options) % 4)
        def head(check): return struct.pack("!BBHHHBBH4s4s", 0x45 + len(options) // 4, 0, 20 + len(options) + len(payload),
            number, fragment, 64, protocol, check, socket.inet_aton(source), socket.inet_aton(target)) + options
        return head(total(head(0))) + payload
    def udp(payload, to=None, source_port=4000):
        return struct.pack("!HHHH", source_port, to or port, 8 + len(payload), 0) + payload
    def icmp(kind, code, rest, payload):
        def message(check): return struct.pack("!BBH", kind, code, check) + rest + payload
        return message(total(message(0)))
    def frame(payload, kind=0x0800, source=my_mac, target=gateway_mac, tags=b""):
        return mac(target) + mac(source) + tags + struct.pack("!H", kind) + payload
    def send(*frames):
        with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as link:
            link.bind(("eth0", 0))
            for one in frames: link.send(one)
    def ask(data, match):
        "Sends a frame; tells whether one that matches comes back."
        with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3)) as link:
            link.bind(("eth0", 3))
            link.settimeout(0.3)
            for _ in range(3):
                link.send(data)
                try:
                    while True:
                        if match(link.recv(2048)): print("THROUGH"); return
                except TimeoutError: pass
    def plain(target, to=None):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
            s.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, 4)
            s.sendto(token, (target, to or port))
    def call(target, to=None):
        with socket.socket() as s:
            s.settimeout(1)
            try:
                s.connect((target, to or port)); print("THROUGH")
            except OSError as error: print(error)
    def arp(operation, sender_mac, sender, target, target_mac="00:00:00:00:00:00", to="ff:ff:ff:ff:ff:ff", source=my_mac):
        return frame(struct.pack("!HHBBH6s4s6s4s", 1, 0x0800, 6, 4, operation, mac(sender_mac), socket.inet_aton(sender),
            mac(target_mac), socket.inet_aton(target)), 0x0806, source, to)
    def answers_arp(asked):
        ask(arp(1, my_mac, me, asked),
            lambda got: got[12:14] == b"\x08\x06" and got[20:22] == b"\0\x02" and got[28:32] == socket.inet_aton(asked))
    def ip6(target, payload, protocol, source="fe80::1", hops=255):
        return struct.pack("!IHBB", 0x60000000, len(payload), protocol, hops) + socket.inet_pton(socket.AF_INET6, source) \
            + socket.inet_pton(socket.AF_INET6, target) + payload
    def check6(source, target, protocol, payload):
        return total(socket.inet_pton(socket.AF_INET6, source) + socket.inet_pton(socket.AF_INET6, target)
            + struct.pack("!II", len(payload), protocol) + payload)
    def udp6(target, source="fe80::1", to_mac=gateway_mac):
        bare = udp(token)
        full = bare[:6] + struct.pack("!H", check6(source, target, 17, bare)) + bare[8:]
        send(frame(ip6(target, full, 17, source), 0x86dd, target=to_mac))
    def pieces(source, target):
        data = udp(token + b"." * 40)
        send(frame(ip(source, target, data[:8], fragment=0x2000)), frame(ip(source, target, data[8:16], fragment=0x2001)),
            frame(ip(source, target, data[16:], fragment=2)))
    def routed(kind, hops, target):
        data = b"".join(socket.inet_aton(hop) for hop in hops)
        return ip(me, target, udp(token), options=bytes([kind, 3 + len(data), 4]) + data)

    inner = ip(victim, outside, udp(b"12345678"))
    everyone = "ff:ff:ff:ff:ff:ff"
    tries = {
        "udp to another tenant": lambda: plain(victim),
        "tcp to another tenant": lambda: call(victim),
        "echo to another tenant": lambda: send(frame(ip(me, victim, icmp(8, 0, b"\0\1\0\1", token), 1))),
        "sctp to another tenant": lambda: send(frame(ip(me, victim, token * 4, 132))),
        "ip in ip to another tenant": lambda: send(frame(ip(me, victim, ip(ally, victim, udp(token)), 4))),
        "gre to another tenant": lambda: send(frame(ip(me, victim, struct.pack("!HH", 0, 0x0800) + ip(ally, victim, udp(token)), 47))),
        "fragments to another tenant": lambda: pieces(me, victim),
        "half a handshake to another tenant": lambda: send(frame(ip(me, victim, struct.pack("!HHIIBBHHH", 4000, port, 1, 1, 0x50, 0x12, 99, 0, 0) + token, 6))),
        "as a pod of that tenant": lambda: send(frame(ip(ally, victim, udp(token)))),
        "as a pod of that tenant, with its hardware address": lambda: send(frame(ip(ally, victim, udp(token)), source=ally_mac)),
        "as the victim itself": lambda: send(frame(ip(victim, victim, udp(token)))),
        "as the gateway": lambda: send(frame(ip(gateway, victim, udp(token)))),
        "as the node": lambda: send(frame(ip(node, victim, udp(token)))),
        "as somebody outside": lambda: send(frame(ip(outside, victim, udp(token)))),
        "fragments as a pod of that tenant": lambda: pieces(ally, victim),
        "behind a priority tag": lambda: send(frame(ip(ally, victim, udp(token)), tags=b"\x81\x00\x00\x00")),
        "behind two tags": lambda: send(frame(ip(ally, victim, udp(token)), tags=b"\x88\xa8\x00\x00\x81\x00\x00\x00")),
        "with another hardware address": lambda: send(frame(ip(me, friend, udp(token)), source="02:11:22:33:44:55")),
        "without an address": lambda: send(frame(ip("0.0.0.0", friend, udp(token)))),
        "loose source route": lambda: send(frame(routed(0x83, [victim], gateway))),
        "strict source route": lambda: send(frame(routed(0x89, [victim], gateway))),
        "loose source route to the node": lambda: send(frame(routed(0x83, [node], node))),
        "recorded route": lambda: send(frame(routed(0x07, ["0.0.0.0"] * 3, outside))),
        "replies of others, outside": lambda: send(frame(ip(victim, outside, udp(token)))),
        "an address of nobody here, outside": lambda: send(frame(ip("203.0.113.9", outside, udp(token)))),
        "a pod address that nobody has": lambda: plain(facts["nobody"]),
        "metadata of the cloud": lambda: plain("169.254.169.254"),
        "metadata of the cloud by tcp": lambda: call("169.254.169.254"),
        "pods of another instance": lambda: plain(facts["neighbour"]),
        "node by the gateway's address": lambda: plain(gateway),
        "node by its own address": lambda: plain(node),
        "node by the gateway's address, tcp": lambda: call(gateway),
        "node by its own address, tcp": lambda: call(node),
        "a service for pods at the gateway's address": lambda: call(gateway, facts["service"]),
        "the port of a service, by udp": lambda: plain(node, facts["service"]),
        "node in fragments": lambda: pieces(me, node),
        "node as itself": lambda: send(frame(ip(node, node, udp(token)))),
        "node as its loopback": lambda: send(frame(ip("127.0.0.1", node, udp(token)))),
        "the node's loopback": lambda: send(frame(ip(me, "127.0.0.1", udp(token)))),
        "everybody's broadcast": lambda: send(frame(ip(me, "255.255.255.255", udp(token)), target=everyone)),
        "the subnet's broadcast": lambda: send(frame(ip(me, facts["broadcast"], udp(token)), target=everyone)),
        "broadcast without an address, as DHCP does": lambda: send(frame(ip("0.0.0.0", "255.255.255.255", udp(token)), target=everyone)),
        "multicast to all hosts": lambda: send(frame(ip(me, "224.0.0.1", udp(token)), target="01:00:5e:00:00:01")),
        "unicast address in a broadcast frame": lambda: send(frame(ip(me, node, udp(token)), target=everyone)),
        "echo to the node": lambda: ask(frame(ip(me, node, icmp(8, 0, b"\0\1\0\1", token), 1)), lambda got: got[12:14] == b"\x08\0" and got[23] == 1 and got[34] == 0),
        "timestamp request to the node": lambda: ask(frame(ip(me, node, icmp(13, 0, b"\0\1\0\1", b"\0" * 12), 1)), lambda got: got[12:14] == b"\x08\0" and got[23] == 1 and got[34] == 14),
        "redirect to another tenant": lambda: send(frame(ip(me, victim, icmp(5, 1, socket.inet_aton(me), inner + token), 1))),
        "redirect as the gateway": lambda: send(frame(ip(gateway, victim, icmp(5, 1, socket.inet_aton(me), inner + token), 1))),
        "unreachable for a connection of others": lambda: send(frame(ip(me, victim, icmp(3, 3, b"\0" * 4, inner + token), 1))),
        "ipv6 to the node's link": lambda: udp6(facts["gateway6"]),
        "ipv6 to all nodes": lambda: udp6("ff02::1", to_mac="33:33:00:00:00:01"),
        "ipv6 with a global source": lambda: udp6(facts["gateway6"], source="2001:db8::7"),
        "arp for another pod's address": lambda: send(arp(1, my_mac, victim, victim), arp(1, my_mac, victim, gateway), arp(2, my_mac, victim, gateway, gateway_mac, gateway_mac)),
        "arp for an outside address": lambda: send(arp(2, my_mac, outside, gateway, gateway_mac, gateway_mac), arp(1, my_mac, outside, gateway)),
        "arp with a foreign hardware address": lambda: send(arp(1, ally_mac, me, gateway), arp(2, "02:11:22:33:44:55", me, gateway, gateway_mac, gateway_mac)),
        "arp from a hundred addresses": lambda: send(*[arp(1, my_mac, facts["prefix"] + str(100 + i), gateway) for i in range(100)]),
        "arp asks for the node's other addresses": lambda: answers_arp(node),
        "arp asks for another pod": lambda: answers_arp(victim),
        "arp asks for the gateway": lambda: answers_arp(gateway),
        # What is meant to pass.
        "udp to a friend": lambda: plain(friend),
        "udp outside": lambda: plain(outside),
        "tcp to a friend": lambda: call(friend),
        "tcp outside": lambda: call(outside),
        "a service for pods": lambda: call(node, facts["service"]),
    }
    tries[name]()
    """#

  /// Notes every try's token that arrives. Arguments: how (`frames`: whatever the link brings; `node`: what sockets of the
  /// node get), the file for what arrives, and ports to listen on.
  static let watcher = #"""
    import re, select, socket, sys

    how, path, ports = sys.argv[1], sys.argv[2], [int(one) for one in sys.argv[3:]]
    sources = []
    if how == "frames":
        link = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
        link.bind(("eth0", 3))
        sources.append(link)
    for port in ports:
        server = socket.create_server(("0.0.0.0", port))
        sources.append(server)
        if how == "node":
            datagrams = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
            datagrams.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
            datagrams.bind(("::", port))
            sources.append(datagrams)
    with open(path, "ab", buffering=0) as file:
        file.write(b"ready\n")
        while True:
            for source in select.select(sources, [], [])[0]:
                if source.type == socket.SOCK_STREAM: source.accept()[0].close(); continue
                # The kernel's copy of what this namespace sends itself is no arrival.
                data, sender = source.recvfrom(65535)
                if how == "frames" and sender[2] == socket.PACKET_OUTGOING: continue
                for token in re.findall(rb"(?:TRY|MARK)[0-9]+;", data): file.write(token + b"\n")
    """#
}
