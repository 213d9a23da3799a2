//! What the user has acknowledged: findings that are counted and not listed. `[[ignore]]` in the config file, `--ignore` on the
//! command line.
//!
//! One names a rule, a place and a program, never a pid: it holds after a restart, and for nothing else. It is asked
//! before findings of one cause are joined and before the worst are chosen, so that an ignored finding takes no other with
//! it.

use std::net::IpAddr;

use serde::de::Error;
use serde::{Deserialize, Deserializer};

use crate::diagnosis::finding::{Finding, FindingScope};
use crate::diagnosis::rule::Rule;
use crate::model::process::Names;

/// The most of them: each is compared with each finding.
pub const IGNORES_MAX: usize = 256;

/// What one must be to be ignored; what is not named may be anything.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ignore {
    /// The rule.
    #[serde(deserialize_with = "rule")]
    pub rule: Rule,
    /// The program, by the name of the process.
    pub process: Option<String>,
    /// The port: ours where the finding is about a listener, else the peer's.
    pub port: Option<u16>,
    /// The address of the same end.
    pub addr: Option<IpAddr>,
    /// The network namespace, by its number.
    pub netns: Option<u32>,
}

impl Ignore {
    /// Every finding of `rule`.
    pub const fn of(rule: Rule) -> Self {
        Self { rule, process: None, port: None, addr: None, netns: None }
    }

    /// What would ignore `finding` and those that are like it after a restart.
    pub fn like(finding: &Finding) -> Self {
        let end = endpoint(finding);
        Self {
            process: program(finding).map(str::to_owned),
            port: end.map(|(_, port)| port),
            // Every address is the usual case, and needs no word.
            addr: end.map(|(ip, _)| ip).filter(|ip| !ip.is_unspecified()),
            ..Self::of(finding.rule())
        }
    }

    /// The one that `text` writes: `RULE`, `RULE:PORT`, or `RULE:` and words such as `process:redis-server port:6379`.
    pub fn parse(text: &str) -> Result<Self, String> {
        let (name, rest) = text.split_once(':').unwrap_or((text, ""));
        let rule = Rule::named(name.trim()).ok_or_else(|| unknown(name.trim()))?;
        let mut ignore = Self::of(rule);
        if let Ok(port) = rest.trim().parse() {
            return Ok(Self { port: Some(port), ..ignore });
        }
        for word in rest.split_whitespace() {
            ignore.take(word)?;
        }
        Ok(ignore)
    }

    fn take(&mut self, word: &str) -> Result<(), String> {
        let parts = word.split_once([':', '=']).filter(|(_, value)| !value.is_empty());
        let Some((key, value)) = parts else {
            return Err(format!("'{word}' is no port and no KEY:VALUE; {HOW}"));
        };
        let wrong = |what: &str| format!("'{value}' is no {what}; {HOW}");
        match key {
            "process" => self.process = Some(value.to_owned()),
            "port" | "lport" | "rport" => self.port = Some(value.parse().map_err(|_| wrong("port"))?),
            "addr" | "laddr" | "raddr" => self.addr = Some(value.parse().map_err(|_| wrong("address"))?),
            "netns" => self.netns = Some(value.parse().map_err(|_| wrong("number of a namespace"))?),
            _ => return Err(format!("'{key}' cannot be ignored by; {HOW}")),
        }
        Ok(())
    }

    /// Whether `finding` is one of these; `names` tell the number that its host has for its network namespace.
    pub fn matches(&self, finding: &Finding, names: &Names) -> bool {
        let end = endpoint(finding);
        let process = program(finding);
        finding.rule() == self.rule
            && self.process.as_deref().is_none_or(|name| process == Some(name))
            && self.port.is_none_or(|port| end.is_some_and(|(_, known)| known == port))
            && self.addr.is_none_or(|ip| end.is_some_and(|(known, _)| known == ip.to_canonical()))
            && self.netns.is_none_or(|netns| names.namespace_number(finding.key.netns) == netns)
    }

    /// As `--ignore` takes it, for a shell to be quoted: `exposed-risky-port:process:redis-server port:6379`.
    pub fn words(&self) -> String {
        let mut words: Vec<String> = Vec::new();
        // A name with a blank in it cannot be written there.
        words.extend(
            self.process
                .iter()
                .filter(|name| !name.contains(char::is_whitespace))
                .map(|name| format!("process:{name}")),
        );
        words.extend(self.port.map(|port| format!("port:{port}")));
        words.extend(self.addr.map(|ip| format!("addr:{ip}")));
        words.extend(self.netns.map(|netns| format!("netns:{netns}")));
        let colon = if words.is_empty() { "" } else { ":" };
        format!("{}{colon}{}", self.rule.id(), words.join(" "))
    }

    /// As the config file takes it, line by line.
    pub fn config(&self) -> Vec<String> {
        let mut lines = vec!["[[ignore]]".to_owned(), format!("rule = \"{}\"", self.rule.id())];
        // Made for TOML's basic strings (toml.io, "String"); control characters are no part of a name that is shown.
        let quoted = |name: &String| format!("process = \"{}\"", name.replace('\\', "\\\\").replace('"', "\\\""));
        lines.extend(self.process.as_ref().map(quoted));
        lines.extend(self.port.map(|port| format!("port = {port}")));
        lines.extend(self.addr.map(|ip| format!("addr = \"{ip}\"")));
        lines.extend(self.netns.map(|netns| format!("netns = {netns}")));
        lines
    }
}

const HOW: &str = "write RULE, RULE:PORT, or RULE: and some of process:NAME port:N addr:IP netns:N";

/// The name of the program whose trouble it is.
fn program(finding: &Finding) -> Option<&str> {
    let single = finding.process.as_ref().map(|process| process.name.as_str());
    single.or_else(|| finding.program.as_ref().map(AsRef::as_ref))
}

/// The end that a finding is about.
fn endpoint(finding: &Finding) -> Option<(IpAddr, u16)> {
    match finding.key.scope {
        FindingScope::To(end) | FindingScope::On(end) => Some((end.address.ip(), end.port)),
        FindingScope::Machine | FindingScope::Process => None,
    }
}

fn unknown(name: &str) -> String {
    let all: Vec<&str> = Rule::ALL.iter().map(|rule| rule.id()).collect();
    format!("there is no rule '{name}' to ignore; the rules are {}", all.join(", "))
}

fn rule<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Rule, D::Error> {
    let name = String::deserialize(deserializer)?;
    Rule::named(&name).ok_or_else(|| D::Error::custom(unknown(&name)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_what_is_parsed() {
        #[derive(Deserialize)]
        struct File {
            ignore: Vec<Ignore>,
        }
        let full = Ignore {
            process: Some("redis-server".to_owned()),
            port: Some(6379),
            addr: Some([10, 0, 0, 1].into()),
            netns: Some(7),
            ..Ignore::of(Rule::ExposedRiskyPort)
        };
        for ignore in
            [full.clone(), Ignore::of(Rule::Orphans), Ignore { port: Some(80), ..Ignore::of(Rule::NotAccepted) }]
        {
            assert_eq!(Ignore::parse(&ignore.words()), Ok(ignore.clone()));
            let file: File = toml::from_str(&ignore.config().join("\n")).expect("it is TOML");
            assert_eq!(file.ignore, [ignore]);
        }
        assert_eq!(full.words(), "exposed-risky-port:process:redis-server port:6379 addr:10.0.0.1 netns:7");
        let short = Ignore { port: Some(6379), ..Ignore::of(Rule::ExposedRiskyPort) };
        assert_eq!(Ignore::parse("exposed-risky-port:6379"), Ok(short));
    }

    #[test]
    fn what_is_wrong_is_said_with_a_next_step() {
        for (text, said) in [
            ("no-such-rule", "there is no rule 'no-such-rule' to ignore; the rules are close-wait-leak, "),
            ("orphans:99999", "'99999' is no port and no KEY:VALUE; write RULE, "),
            ("orphans:port:x", "'x' is no port; write"),
            ("orphans:pid:7", "'pid' cannot be ignored by; write"),
            ("orphans:addr:10.0.*", "'10.0.*' is no address; write"),
            ("", "there is no rule '' to ignore"),
        ] {
            let error = Ignore::parse(text).expect_err(text);
            assert!(error.starts_with(said), "{error}");
        }
    }
}
