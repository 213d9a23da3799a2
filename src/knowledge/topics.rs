//! What there is to say about the life of a connection, ports and the kernel that is no state, port or finding: the
//! table `assets/topics.toml`.

use std::sync::LazyLock;

use serde::Deserialize;

/// One topic of `conntop explain`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Topic {
    /// Its name: lower case with dashes.
    pub id: String,
    /// What else it is called.
    #[serde(default)]
    pub aliases: Vec<String>,
    /// What it belongs to.
    pub group: TopicGroup,
    /// One line.
    pub title: String,
    /// Paragraphs.
    pub text: Vec<String>,
    /// What to do, first thing first.
    #[serde(default)]
    pub r#do: Vec<String>,
    /// What not to do, or what does not help.
    #[serde(default)]
    pub dont: Vec<String>,
    /// Other topics, states, findings and columns.
    #[serde(default)]
    pub see: Vec<String>,
}

/// What a topic belongs to, in the order in which they are listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TopicGroup {
    /// The life of a connection.
    Connection,
    /// Numbers of ports.
    Ports,
    /// Limits and options of the kernel.
    Kernel,
    /// This program.
    Conntop,
    /// What netstat users type.
    Netstat,
}

impl TopicGroup {
    /// Every group.
    pub const ALL: [Self; 5] = [Self::Connection, Self::Ports, Self::Kernel, Self::Conntop, Self::Netstat];

    /// The heading.
    pub const fn title(self) -> &'static str {
        match self {
            Self::Connection => "Connections",
            Self::Ports => "Ports",
            Self::Kernel => "The kernel",
            Self::Conntop => "conntop",
            Self::Netstat => "netstat",
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TopicsFile {
    topic: Vec<Topic>,
}

static FILE: LazyLock<TopicsFile> =
    LazyLock::new(|| toml::from_str(include_str!("../../assets/topics.toml")).expect("assets/topics.toml is tested"));

/// Every topic, group by group.
pub fn all() -> &'static [Topic] {
    &FILE.topic
}

/// The topic called `name`, in any case, with `_` and blanks for dashes.
pub fn find(name: &str) -> Option<&'static Topic> {
    let name = normal(name);
    let topics = all().iter();
    let by_alias = || all().iter().find(|topic| topic.aliases.contains(&name));
    topics.into_iter().find(|topic| topic.id == name).or_else(by_alias)
}

/// `name` as ids and aliases are written: lower case, one dash for each run of blanks, underscores and dashes.
pub fn normal(name: &str) -> String {
    let mut normal = String::with_capacity(name.len());
    for character in name.trim().chars().flat_map(char::to_lowercase) {
        let character = if character.is_whitespace() || character == '_' { '-' } else { character };
        if character != '-' || !normal.ends_with('-') {
            normal.push(character);
        }
    }
    normal
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_topic_is_whole() {
        let mut names = BTreeSet::new();
        for topic in all() {
            for name in std::iter::once(&topic.id).chain(&topic.aliases) {
                assert_eq!(&normal(name), name, "{}", topic.id);
                assert!(names.insert(name), "{name} is said twice");
            }
            assert!(!topic.title.is_empty() && !topic.text.is_empty() && !topic.see.is_empty(), "{}", topic.id);
            for sentence in topic.text.iter().chain(&topic.r#do).chain(&topic.dont) {
                assert!(sentence.ends_with(['.', ':']) && !sentence.contains('\n'), "{}: {sentence}", topic.id);
            }
        }
    }

    #[test]
    fn topics_stand_group_by_group() {
        let place = |group| TopicGroup::ALL.iter().position(|known| *known == group);
        assert!(all().is_sorted_by_key(|topic| place(topic.group)));
    }

    #[test]
    fn a_topic_is_found_however_it_is_written() {
        for name in ["2msl", "2MSL", "TIME_WAIT", "time wait", " Time-Wait "] {
            assert_eq!(find(name).map(|topic| topic.id.as_str()), Some("2msl"), "{name}");
        }
        assert_eq!(find("netstat -a").map(|topic| topic.id.as_str()), Some("netstat-a"));
        assert!(find("elephant").is_none() && find("").is_none());
    }
}
