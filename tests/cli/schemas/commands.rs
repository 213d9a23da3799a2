//! The schemas of `conntop ports` and `conntop netstat`.

use conntop::knowledge::owners::Basis;
use conntop::knowledge::ports::Danger;
use conntop::knowledge::ranges::PortClass;
use conntop::model::exposure::Exposure;
use conntop::model::interface::COUNTERS;
use conntop::model::reach::Reach;
use conntop::report::netstat::protocol::PROTOCOLS;
use conntop::table::connections::COLUMNS;
use serde_json::{Map, Value, json};

use super::{document, head, map, object, or_null, property, socket_properties};

/// The rule of a field that is a column of `conntop list`, too.
fn column(json: &str) -> Value {
    property(COLUMNS.iter().find(|column| column.json == json).unwrap_or_else(|| panic!("{json} is no column")))
}

fn described(mut rule: Value, about: &str) -> Value {
    rule["description"] = about.into();
    rule
}

pub fn ports() -> Value {
    let port = || json!({ "type": "integer", "minimum": 0 });
    let texts = |about: &str| described(json!({ "type": "array", "items": { "type": "string" } }), about);
    let flag = |about: &str| described(json!({ "type": ["boolean", "null"] }), about);
    let classes = [0, 1024, u16::MAX].map(|port| PortClass::of(port).name());
    let mut listener: Map<String, Value> =
        ["proto", "laddr", "lport", "process", "pid", "user", "owner", "unit", "netns"]
            .into_iter()
            .chain(["backlog", "backlog_limit", "inode", "cookie", "drops", "service"])
            .map(|name| (name.to_owned(), column(name)))
            .collect();
    let holder = object(map(json!({ "pid": port(), "process": { "type": "string" } })));
    listener.append(&mut map(json!({
        "interface": { "type": ["string", "null"], "description": "The interface that it is bound to: packets of others do not reach it." },
        "v6only": { "type": ["boolean", "null"], "description": "Whether it takes IPv6 only, or IPv4 as well; null where the kernel does not say." },
        "exposure": { "enum": Exposure::ALL.map(Exposure::label), "description": "Who can reach the address, as far as the address says." },
        "reached_from": described(or_null(Reach::ALL.map(Reach::label)), "Who can reach it, by the interfaces that there are; null where they are not known."),
        "class": { "enum": classes, "description": "By RFC 6335." },
        "ephemeral": flag("Whether this kernel gives the port to clients."),
        "usual_uses": texts("What is usually on the port; it may have several uses."),
        "usual_processes": texts("Which processes usually listen there."),
        "unexpected": flag("Whether the process is none of them; null where one side is not known."),
        "danger": described(or_null(Danger::ALL.map(Danger::label)), "How bad it is if others reach the port."),
        "danger_basis": described(
            or_null(Basis::ALL.map(Basis::label)),
            "Whether the process is known to be that service, or only the number of the port says so.",
        ),
        "risk": { "type": ["string", "null"], "minLength": 1, "description": "What it invites; by its port, what it may be." },
        "sockets": { "type": "integer", "minimum": 1, "description": "How many sockets share the port, this one counted." },
        "processes": { "type": "array", "items": holder, "description": "All that hold this socket, where they are known." },
        "overflows_per_second": {
            "type": ["number", "null"],
            "description": "Connections lost at its full queue; null unless a recording tells that it alone was full.",
        },
    })));
    let range = object(map(json!({ "first": port(), "last": port() })));
    let mut properties = head();
    properties.append(&mut map(json!({
        "ephemeral_ports": { "anyOf": [range, { "type": "null" }], "description": "ip_local_port_range." },
        "listeners": { "type": "array", "items": { "$ref": "#/$defs/listener" } },
    })));
    document("conntop ports --format json", object(properties), json!({ "listener": object(listener) }))
}

fn interface() -> Value {
    let mut properties = map(json!({ "interface": { "type": "string" } }));
    for row in &COUNTERS {
        for (way, is_there) in [("rx", row.received.is_some()), ("tx", row.sent.is_some())] {
            if is_there {
                let total = json!({ "type": "integer", "minimum": 0, "description": row.label });
                properties.insert(format!("{way}_{}", row.key), total);
                properties.insert(format!("{way}_{}_per_second", row.key), json!({ "type": ["number", "null"] }));
            }
        }
    }
    object(properties)
}

fn statistic() -> Value {
    object(map(json!({
        "protocol": described(or_null(PROTOCOLS.iter().map(|row| row.name)), "As -p has it; null for others."),
        "group": { "type": "string", "description": "The kernel's group, as Tcp or TcpExt." },
        "name": { "type": "string" },
        "value": { "type": "integer" },
        "per_second": { "type": ["number", "null"], "description": "Its change, with an interval." },
    })))
}

fn route() -> Value {
    let text = |about: &str| json!({ "type": ["string", "null"], "minLength": 1, "description": about });
    let number = |about: &str| json!({ "type": ["integer", "null"], "minimum": 0, "description": about });
    let flags = json!({ "type": "array", "items": { "type": "string" } });
    let hop = object(map(json!({
        "gateway": text("The router; null on the link."),
        "dev": text("The interface."),
        "weight": number("Its share."),
        "encap": text("What packets are wrapped into."),
        "flags": flags,
    })));
    let metrics = json!({
        "type": "object",
        "properties": {},
        "additionalProperties": { "type": "integer" },
        "description": "What it sets for connections, as ip route names it; times in ms.",
    });
    object(map(json!({
        "family": { "enum": ["ipv4", "ipv6"] },
        "type": { "type": "string", "description": "unicast, blackhole, unreachable, ..." },
        "dst": { "type": "string", "description": "default, a prefix or an address." },
        "from": text("Only packets from there."),
        "gateway": text("The router; null on the link, and where there are nexthops."),
        "dev": text("The interface."),
        "table": { "type": "string", "description": "main, local, default, or its number." },
        "protocol": { "type": "string", "description": "Who made it." },
        "scope": { "type": "string" },
        "prefsrc": text("The source address."),
        "metric": number("The smaller one wins."),
        "mtu": number("The largest packet, in bytes."),
        "metrics": metrics,
        "congestion": text("The congestion control."),
        "tos": number("Only packets with this type of service."),
        "realm": text("Its realms."),
        "nhid": number("Its nexthop object."),
        "encap": text("What packets are wrapped into."),
        "expires_seconds": number("When it ends by itself."),
        "pref": text("The preference of a router (RFC 4191)."),
        "flags": flags,
        "nexthops": { "type": "array", "items": hop, "description": "Several that share the load." },
    })))
}

fn offload() -> Value {
    let feature = object(map(json!({
        "name": { "type": "string" },
        "on": { "type": "boolean" },
        "fixed": { "type": "boolean", "description": "Whether it cannot be changed." },
    })));
    object(map(json!({ "interface": { "type": "string" }, "features": { "type": "array", "items": feature } })))
}

pub fn netstat() -> Value {
    let mut properties = head();
    properties.remove("coverage");
    let Value::Object(mut body) = object(properties) else { unreachable!("an object") };
    let list = |name: &str| json!({ "type": "array", "items": { "$ref": format!("#/$defs/{name}") } });
    // Each part is there only where it was asked for.
    let mut parts = map(json!({
        "coverage": head()["coverage"],
        "connections": list("connection"),
        "interfaces": list("interface"),
        "statistics": list("statistic"),
        "routes": list("route"),
        "offload": list("offload"),
    }));
    body["properties"].as_object_mut().expect("an object").append(&mut parts);
    let mut connection = map(object(socket_properties()));
    let path = json!({ "type": ["string", "null"], "minLength": 1, "description": "With -b." });
    connection["properties"]["executable"] = path;
    let defs = json!({
        "connection": connection,
        "interface": interface(),
        "statistic": statistic(),
        "route": route(),
        "offload": offload(),
    });
    document("a line of conntop netstat --format json, one a round", Value::Object(body), defs)
}
