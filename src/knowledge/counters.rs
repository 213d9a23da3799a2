//! What the kernel's protocol counters mean: the table `assets/counters.toml`.

use std::sync::LazyLock;

use rustc_hash::FxHashMap;
use serde::Deserialize;

/// What is known of a counter.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CounterText {
    group: String,
    name: String,
    /// One sentence: what it counts.
    pub about: String,
    /// Whether it only grows.
    #[serde(default)]
    pub kind: CounterKind,
    /// Which rule of `diagnosis` reads it, or `no: ` and why none does; `None` where it means no loss.
    loss: Option<String>,
}

/// The rule that reads a counter which means loss, or why there is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CounterLoss<'a> {
    /// The id of the rule.
    Rule(&'a str),
    /// A sentence.
    NoRule(&'a str),
}

impl CounterText {
    /// What becomes of it if it means loss.
    pub fn loss(&self) -> Option<CounterLoss<'_>> {
        let loss = self.loss.as_deref()?;
        Some(loss.strip_prefix("no: ").map_or(CounterLoss::Rule(loss), CounterLoss::NoRule))
    }

    /// Group and name, as the kernel calls them.
    pub fn told_as(&self) -> (&str, &str) {
        (&self.group, &self.name)
    }
}

/// Every counter of which something is known, in no order that means anything.
pub fn all() -> impl Iterator<Item = &'static CounterText> {
    TEXTS.values().copied()
}

/// How a counter changes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CounterKind {
    /// It only grows.
    #[default]
    Count,
    /// It goes up and down.
    Level,
    /// It is a setting, and its change means nothing.
    Setting,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CountersFile {
    counter: Vec<CounterText>,
}

static TEXTS: LazyLock<FxHashMap<(&'static str, &'static str), &'static CounterText>> = LazyLock::new(|| {
    static FILE: LazyLock<CountersFile> = LazyLock::new(|| {
        toml::from_str(include_str!("../../assets/counters.toml")).expect("assets/counters.toml is tested")
    });
    FILE.counter.iter().map(|text| ((text.group.as_str(), text.name.as_str()), text)).collect()
});

/// Groups that count the same things as another, for another family or for UDP-Lite.
const ALIKE: [(&str, &str); 7] = [
    ("Ip6", "Ip"),
    ("Ip6", "IpExt"),
    ("Icmp6", "Icmp"),
    ("Udp6", "Udp"),
    ("UdpLite", "Udp"),
    ("UdpLite6", "Udp"),
    ("IpExt", "Ip"),
];

/// What is known of the counter `name` of `group`, as the kernel calls them; `None` where nothing is written.
pub fn text(group: &str, name: &str) -> Option<&'static CounterText> {
    let alike = ALIKE.iter().filter(|(other, _)| *other == group).map(|(_, known)| *known);
    std::iter::once(group).chain(alike).find_map(|group| TEXTS.get(&(group, name)).copied())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_counter_is_explained_once_in_a_short_sentence() {
        let written = include_str!("../../assets/counters.toml").matches("[[counter]]").count();
        assert_eq!(TEXTS.len(), written);
        for text in TEXTS.values() {
            assert!(text.about.ends_with('.') && text.about.len() <= 80, "{text:?}");
        }
    }

    #[test]
    fn what_does_not_only_grow_says_so() {
        let kind = |group, name| text(group, name).map(|text| text.kind);
        assert_eq!(kind("Tcp", "RetransSegs"), Some(CounterKind::Count));
        assert_eq!(kind("Tcp", "CurrEstab"), Some(CounterKind::Level));
        assert_eq!(kind("Tcp", "RtoMin"), Some(CounterKind::Setting));
        assert_eq!(kind("Tcp", "NoSuch"), None);
    }

    #[test]
    fn ipv6_counts_what_ipv4_counts() {
        for (group, name) in [("Ip6", "FragFails"), ("Ip6", "InOctets"), ("Udp6", "NoPorts"), ("UdpLite6", "InErrors")]
        {
            assert!(text(group, name).is_some(), "{group} {name}");
        }
    }
}
