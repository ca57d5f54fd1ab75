/// What nftables is told, as text (nft(8)); pure.
///
/// Two tables carry the network's name: `inet`, and `arp` for what is below it. Their chains are the same for every pod,
/// who is who stands in sets and maps: a pod is six or seven elements, whatever the number of pods. See
/// `docs/decisions/0011-pod-network.md`.
struct FirewallRules: Sendable {
  /// A pod as the rules know it.
  struct Member: Hashable, Sendable {
    let endpoint: PodEndpoint
    let namespace: String
    var zone: NetworkZone
    /// It asks for a token for the API.
    var mayCallAPI = false
  }

  let network: PodNetwork
  private var inet: String { "inet \(network.table)" }
  private var arp: String { "arp \(network.table)" }

  /// Makes the tables anew with these pods and no others; what was there before goes in the same transaction.
  func replacement(_ members: [Member]) -> String {
    let zones = Set(members.map(\.zone)).sorted { $0.name < $1.name }
    return removal + chains + zones.map(zone).joined() + members.map(addition).joined()
  }

  /// Takes both tables away, whether they are there or not.
  var removal: String {
    [inet, arp].map { "add table \($0)\ndelete table \($0)\n" }.joined()
  }

  /// A zone's chain and set, which `addition` of its pods needs.
  func zone(_ zone: NetworkZone) -> String {
    """
    add set \(inet) \(zone.name) { type ipv4_addr; }
    add chain \(inet) \(zone.name)
    add rule \(inet) \(zone.name) ip saddr @\(zone.name) accept
    add rule \(inet) \(zone.name) goto refuse

    """
  }

  func removal(of zone: NetworkZone) -> String {
    """
    flush chain \(inet) \(zone.name)
    delete chain \(inet) \(zone.name)
    delete set \(inet) \(zone.name)

    """
  }

  func addition(_ member: Member) -> String { elements("add", member) }
  func removal(of member: Member) -> String { elements("delete", member) }

  private func elements(_ verb: String, _ member: Member) -> String {
    let (at, zone) = (member.endpoint, member.zone.name)
    let identity = "\"\(at.link)\" . \(at.hardwareAddress) . \(at.address)"
    let client = member.mayCallAPI ? "\(verb) element \(inet) api_clients { \(at.address) }\n" : ""
    return client + """
      \(verb) element \(inet) links { "\(at.link)" }
      \(verb) element \(inet) identities { \(identity) }
      \(verb) element \(inet) \(zone) { \(at.address) }
      \(verb) element \(inet) zones { \(at.address) : goto \(zone) }
      \(verb) element \(arp) links { "\(at.link)" }
      \(verb) element \(arp) identities { \(identity) }

      """
  }

  /// `0.0.0.0` is every address but the pods' own.
  private var services: String {
    network.hostServices.map {
      "add element \(inet) services { \($0.address == "0.0.0.0" ? "0.0.0.0/0" : $0.address) . \($0.transport.rawValue) . \($0.port) }\n"
    }.joined()
  }

  /// What reaches the API at the gateway, asked for each packet: an address that is given out again takes no connection along.
  private var entrance: String {
    network.apiPort.map { "ip daddr \(network.gateway) tcp dport \($0) goto to_api" } ?? ""
  }

  private var chains: String {
    """
    table \(inet) {
      set links { type ifname; }
      set identities { type ifname . ether_addr . ipv4_addr; }
      set api_clients { type ipv4_addr; }
      set services { type ipv4_addr . inet_proto . inet_service; flags interval; }
      map zones { type ipv4_addr : verdict; }

      # Before connections are tracked, so that what is not from the pod itself leaves no trace.
      chain arrival {
        type filter hook prerouting priority raw; policy accept;
        iifname @links goto identity
        iifname != "lo" ip saddr \(network.subnet) drop
      }
      chain identity {
        meta nfproto != ipv4 drop
        iifname . ether saddr . ip saddr != @identities drop
        ip option lsrr exists drop
        ip option ssrr exists drop
        ip option rr exists drop
      }

      chain forward {
        type filter hook forward priority filter; policy accept;
        ip daddr \(network.subnet) goto to_pods
        iifname @links goto to_others
      }
      # Asked for each packet and not for each connection: an address that passes to another tenant takes no connection along.
      chain to_pods {
        iifname != @links goto answers
        ip daddr vmap @zones
        goto refuse
      }
      chain answers {
        ct state established,related accept
        drop
      }
      chain to_others {
        ip daddr { 0.0.0.0/8, 127.0.0.0/8, 169.254.0.0/16, 224.0.0.0/3 } goto refuse
        ct state invalid drop
        accept
      }

      chain input {
        type filter hook input priority filter; policy accept;
        iifname @links goto to_node
        # The gateway is the pods' own: nobody beside the node is to find anything there.
        iifname != "lo" ip daddr \(network.gateway) drop
      }
      chain to_api {
        ip saddr @api_clients accept
        goto refuse
      }
      chain to_node {
        \(entrance)
        ct state established accept
        ct state related icmp type { destination-unreachable, time-exceeded, parameter-problem } accept
        ip daddr \(network.subnet) goto refuse
        fib daddr type != local drop
        ip daddr . meta l4proto . th dport @services accept
        goto refuse
      }

      # Said at once, so that whoever calls does not wait. Errors of ICMP are rationed by the kernel, resets are not.
      chain refuse {
        meta l4proto tcp reject with tcp reset
        reject with icmpx type admin-prohibited
      }

      chain source_nat {
        type nat hook postrouting priority srcnat; policy accept;
        ip saddr \(network.subnet) ip daddr != \(network.subnet) oifname != "lo" masquerade
      }
    }
    table \(arp) {
      set links { type ifname; }
      set identities { type ifname . ether_addr . ipv4_addr; }
      chain input {
        type filter hook input priority filter; policy accept;
        iifname @links goto identity
      }
      # A pod speaks for itself only, and asks for the gateway only.
      chain identity {
        iifname . arp saddr ether . arp saddr ip != @identities drop
        arp operation reply accept
        arp operation request arp daddr ip \(network.gateway) accept
        drop
      }
    }

    """ + services
  }
}
