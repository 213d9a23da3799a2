//! What each finding means, what to do about it, and what does not help: the table `assets/rules.toml`.

use std::sync::LazyLock;

use serde::Deserialize;

/// What is known of a rule of `diagnosis`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RuleText {
    /// The name in JSON, `--fail-on` and `conntop explain`.
    pub id: String,
    /// The short name.
    pub title: String,
    /// What it means: one to three sentences.
    pub about: String,
    /// What to do, the first thing first; a sentence each.
    pub remedy: Vec<String>,
    /// Which of them (the first is 1) make sense only where the peer is another machine: loopback has no route, no firewall
    /// on the way and no MTU that does not fit.
    #[serde(default)]
    pub remote: Vec<usize>,
    /// What does not help though it is often advised; a sentence each.
    pub does_not_help: Vec<String>,
    /// Topics of `conntop explain` that say more: states and words of TCP.
    pub see: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RulesFile {
    rule: Vec<RuleText>,
}

static RULES: LazyLock<Vec<RuleText>> = LazyLock::new(|| {
    let file: RulesFile = toml::from_str(include_str!("../../assets/rules.toml")).expect("assets/rules.toml is tested");
    file.rule
});

impl RuleText {
    /// What to do, where the peer is on this machine or not.
    pub fn remedies(&self, is_loopback: bool) -> impl Iterator<Item = &String> {
        let fits = move |nth: usize| !(is_loopback && self.remote.contains(&nth));
        (1..).zip(&self.remedy).filter(move |(nth, _)| fits(*nth)).map(|(_, text)| text)
    }
}

/// The text of the rule called `id`.
pub fn text(id: &str) -> Option<&'static RuleText> {
    RULES.iter().find(|rule| rule.id == id)
}

/// The texts of all rules, in the order of the table of rules.
pub fn all() -> &'static [RuleText] {
    &RULES
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnosis::rule::Rule;

    /// For these no wrong advice is in circulation.
    const NO_FOLKLORE: &[Rule] = &[Rule::UnexpectedListener];

    #[test]
    fn every_rule_is_explained_once_in_order() {
        let ids: Vec<_> = all().iter().map(|text| text.id.as_str()).collect();
        assert_eq!(ids, Rule::ALL.iter().map(|rule| rule.id()).collect::<Vec<_>>());
    }

    #[test]
    fn texts_are_short_sentences_and_say_what_to_do() {
        for &rule in Rule::ALL {
            let text = text(rule.id()).expect("found above");
            assert!(!text.title.is_empty() && text.title.chars().count() <= 32, "{}", rule.id());
            assert!(text.about.ends_with('.') && text.about.len() <= 420, "{}", rule.id());
            assert!(text.remote.iter().all(|nth| (1..=text.remedy.len()).contains(nth)), "{}", rule.id());
            assert!(text.remedies(true).next().is_some(), "{}: something can be done on loopback too", rule.id());
            assert!(!text.remedy.is_empty() && !text.see.is_empty(), "{}", rule.id());
            assert!(!text.does_not_help.is_empty() || NO_FOLKLORE.contains(&rule), "{}", rule.id());
            for sentence in text.remedy.iter().chain(&text.does_not_help) {
                assert!(sentence.ends_with('.') && sentence.len() <= 240 && !sentence.contains('\n'), "{sentence}");
            }
        }
    }
}
