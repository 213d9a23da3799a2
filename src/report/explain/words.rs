//! Explanations of what has a name: states, findings, topics, columns, options.

use crate::diagnosis::rule::Rule;
use crate::knowledge::topics::{self, Topic};
use crate::knowledge::{remedies, rules, states};
use crate::model::tcp_state::TcpState;
use crate::report::explain::{Explanation, OptionText};
use crate::store::row::SocketRow;
use crate::table::column::Column;
use crate::table::connections::COLUMNS;

/// The settings with their defaults.
const CONFIG: &str = include_str!("../../../assets/config.toml");

pub(super) fn look_up(name: &str, options: &[OptionText]) -> Vec<Explanation> {
    let normal = topics::normal(name);
    let mut found = Vec::new();
    if let Some([state]) = TcpState::parse(name.trim()) {
        found.push(state_text(*state));
    }
    if let Some(rule) = Rule::named(&normal) {
        found.push(finding(rule));
    }
    found.extend(topics::find(&normal).map(topic));
    let key = normal.replace('-', "_");
    found.extend(COLUMNS.iter().find(|column| column.key == key || column.json == key).map(column));
    found.extend(options_called(name.trim(), options));
    if found.is_empty() { bundle(&normal) } else { found }
}

fn state_text(state: TcpState) -> Explanation {
    let text = states::text(state);
    let row = state.row();
    Explanation {
        topic: row.name.to_owned(),
        kind: "state",
        title: row.name.to_owned(),
        text: vec![text.meaning.to_owned()],
        r#do: vec![text.advice.to_owned()],
        dont: vec![text.does_not_help.to_owned()],
        see: row.successors.iter().map(|next| next.name().to_owned()).collect(),
        ..Explanation::default()
    }
}

fn finding(rule: Rule) -> Explanation {
    let id = rule.id().to_owned();
    let Some(text) = rules::text(rule.id()) else {
        return Explanation { title: id.clone(), topic: id, kind: "finding", ..Explanation::default() };
    };
    Explanation {
        topic: id,
        kind: "finding",
        title: text.title.clone(),
        text: vec![text.about.clone()],
        r#do: text.remedy.iter().chain(remedies::of_rule(rule.id())).cloned().collect(),
        dont: text.does_not_help.clone(),
        see: text.see.clone(),
        ..Explanation::default()
    }
}

fn topic(topic: &Topic) -> Explanation {
    Explanation {
        topic: topic.id.clone(),
        kind: "topic",
        title: topic.title.clone(),
        text: topic.text.clone(),
        verbatim: (topic.id == "config").then_some(CONFIG),
        r#do: topic.r#do.clone(),
        dont: topic.dont.clone(),
        see: topic.see.clone(),
    }
}

fn column(column: &Column<SocketRow>) -> Explanation {
    let json = if column.in_json { String::new() } else { ", where it is only printed when asked for".to_owned() };
    Explanation {
        topic: column.key.to_owned(),
        kind: "column",
        title: format!("{}: column {}", column.key, column.title),
        text: vec![column.about.to_owned(), format!("In JSON and CSV it is called {}{json}.", column.json)],
        r#do: vec![format!("conntop list --columns local,remote,{0} --sort {0}.", column.key)],
        see: vec!["filters".to_owned()],
        ..Explanation::default()
    }
}

/// The options of this name, one explanation for each text that there is about it.
fn options_called(name: &str, options: &[OptionText]) -> Vec<Explanation> {
    let wanted = topics::normal(name);
    let wanted = wanted.trim_start_matches('-');
    let mut found: Vec<Explanation> = Vec::new();
    for option in options.iter().filter(|option| option.name.trim_start_matches('-') == wanted) {
        let about = vec![format!("{}.", option.about.trim_end_matches('.'))];
        match found.iter_mut().find(|known| known.text == about) {
            Some(known) => known.title = format!("{}, {}", known.title, option.place),
            None => found.push(Explanation {
                topic: option.name.clone(),
                kind: "option",
                title: format!("{} of {}", option.name, option.place),
                text: about,
                see: vec!["config".to_owned()],
                ..Explanation::default()
            }),
        }
    }
    found
}

/// Options of netstat written together, as `-ano`.
fn bundle(normal: &str) -> Vec<Explanation> {
    let Some(letters) = normal.strip_prefix('-').filter(|letters| !letters.is_empty()) else { return Vec::new() };
    let topics: Option<Vec<_>> = letters.chars().map(|letter| topics::find(&format!("-{letter}"))).collect();
    topics.unwrap_or_default().into_iter().map(topic).collect()
}
