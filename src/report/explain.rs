//! `conntop explain`: what a word means. One [`Explanation`] for each thing of that name, made from the tables that the
//! rest of the program uses.

mod numbers;
mod words;

use std::io::{self, Write};

use serde::Serialize;

use crate::diagnosis::rule::Rule;
use crate::knowledge::topics::{self, TopicGroup};
use crate::knowledge::{ports, rules};
use crate::model::facts::PortRange;
use crate::model::tcp_state::STATES;
use crate::report::format::DocumentFormat;
use crate::report::format::json::SCHEMA;
use crate::table::connections::COLUMNS;
use crate::table::cut::cells;
use crate::table::suggest;

/// The most words that are explained at once.
const WORDS_MAX: usize = 64;

/// An option of the command line, which only the command line knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OptionText {
    /// Its name, as `--interval`.
    pub name: String,
    /// Where it can be written, as `conntop list`.
    pub place: String,
    /// What it does.
    pub about: String,
}

/// What only the caller knows: the command line, and this machine.
#[derive(Clone, Debug, Default)]
pub struct ExplainContext {
    /// The options of the command line.
    pub options: Vec<OptionText>,
    /// What this kernel takes the ports of clients from; `None` where it does not say.
    pub client_ports: Option<PortRange>,
}

/// What one thing is, what to do about it, and what not.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Explanation {
    /// Its name.
    pub topic: String,
    /// `state`, `finding`, `topic`, `column`, `option`, `port` or `range`.
    pub kind: &'static str,
    /// One line.
    pub title: String,
    /// Paragraphs.
    pub text: Vec<String>,
    /// Lines to be shown as they are, after the text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub verbatim: Option<&'static str>,
    /// What to do, first thing first.
    #[serde(rename = "remedy")]
    pub r#do: Vec<String>,
    /// What not to do, or what does not help.
    #[serde(rename = "does_not_help")]
    pub dont: Vec<String>,
    /// What else to have explained.
    #[serde(rename = "see_also")]
    pub see: Vec<String>,
}

/// What `words` mean: all of them as one topic, else one by one. An unknown one is answered by a sentence.
pub fn find(words: &[&str], around: &ExplainContext) -> Result<Vec<Explanation>, String> {
    if words.len() > WORDS_MAX {
        return Err(format!("those are more than {WORDS_MAX} words; ask for fewer topics at once"));
    }
    let options = options_of_tool(words, around);
    let as_one = look_up(&words.join(" "), around);
    if !as_one.is_empty() || !options.is_empty() {
        let tool =
            if as_one.is_empty() { words.first().map_or_else(Vec::new, |tool| look_up(tool, around)) } else { as_one };
        let mut found = tool;
        found.extend(options.into_iter().filter(|option| !found.contains(option)).collect::<Vec<_>>());
        return Ok(found);
    }
    let mut found: Vec<Explanation> = Vec::new();
    for word in words {
        let explanations = look_up(word, around);
        if explanations.is_empty() {
            return Err(unknown(word, around));
        }
        for explanation in explanations {
            if !found.contains(&explanation) {
                found.push(explanation);
            }
        }
    }
    Ok(found)
}

/// What the options mean in a command line of another tool: of `netstat -ano` those of `-a`, `-n` and `-o`.
fn options_of_tool(words: &[&str], around: &ExplainContext) -> Vec<Explanation> {
    let [tool, rest @ ..] = words else { return Vec::new() };
    let letters = rest.iter().filter_map(|word| word.strip_prefix('-')).flat_map(str::chars);
    let topics = letters.filter_map(|letter| topics::find(&format!("{tool}-{letter}")));
    topics.flat_map(|topic| look_up(&topic.id, around)).collect()
}

/// Everything that is called `name`; nothing if it is unknown.
pub fn look_up(name: &str, around: &ExplainContext) -> Vec<Explanation> {
    let named = words::look_up(name, &around.options);
    if named.is_empty() { numbers::look_up(name, around.client_ports) } else { named }
}

fn unknown(word: &str, around: &ExplainContext) -> String {
    if word.split(['-', '/', ':']).any(|part| part.parse::<u64>().is_ok_and(|number| number > u16::MAX.into())) {
        return format!("there is nothing to explain under '{word}'; ports end at {}", u16::MAX);
    }
    let wanted = topics::normal(word);
    let names = topics::all().iter().flat_map(|topic| std::iter::once(&topic.id).chain(&topic.aliases));
    let labels: Vec<String> = STATES.iter().map(|row| topics::normal(row.label)).collect();
    let known = names
        .map(String::as_str)
        .chain(labels.iter().map(String::as_str))
        .chain(Rule::ALL.iter().map(|rule| rule.id()))
        .chain(COLUMNS.iter().map(|column| column.key))
        .chain(around.options.iter().map(|option| option.name.as_str()));
    // Names of services are many, and short: they are only offered if nothing else is near.
    let near = suggest::closest(&wanted, known).or_else(|| suggest::closest(&wanted, ports::service_names()));
    let hint =
        near.map_or_else(|| "conntop explain lists the topics".to_owned(), |near| format!("did you mean '{near}'?"));
    format!("there is nothing to explain under '{word}'; {hint}")
}

/// How explanations are printed.
#[derive(Clone, Debug)]
pub struct Explain {
    /// Text or JSON.
    pub format: DocumentFormat,
    /// The length of a line of text, in cells.
    pub width: usize,
    /// What only the caller knows.
    pub around: ExplainContext,
}

#[derive(Serialize)]
struct ExplainDocument<'a, T> {
    schema: u32,
    topics: &'a [T],
}

#[derive(Serialize)]
struct TopicName<'a> {
    topic: &'a str,
    kind: &'static str,
    title: &'a str,
}

impl Explain {
    /// Writes `found`.
    pub fn write(&self, found: &[Explanation], out: &mut impl Write) -> io::Result<()> {
        match self.format {
            DocumentFormat::Json => return write_json(found, out),
            DocumentFormat::Text => {}
        }
        for (at, explanation) in found.iter().enumerate() {
            if at > 0 {
                writeln!(out)?;
            }
            self.write_one(explanation, out)?;
        }
        Ok(())
    }

    fn write_one(&self, one: &Explanation, out: &mut impl Write) -> io::Result<()> {
        self.paragraph(out, "", &format!("{} ({})", one.title, one.kind))?;
        for text in &one.text {
            self.paragraph(out, "  ", text)?;
        }
        if let Some(lines) = one.verbatim {
            for line in lines.lines() {
                writeln!(out, "    {line}")?;
            }
        }
        for (label, texts) in [("Do", &one.r#do), ("Does not help", &one.dont)] {
            if !texts.is_empty() {
                writeln!(out, "  {label}")?;
            }
            for text in texts {
                self.paragraph(out, "    - ", text)?;
            }
        }
        if one.see.is_empty() { Ok(()) } else { self.paragraph(out, "  ", &format!("See: {}", one.see.join(", "))) }
    }

    /// Writes `text` in lines that begin with `indent`; the first one has what stands in it, the others blanks.
    fn paragraph(&self, out: &mut impl Write, indent: &str, text: &str) -> io::Result<()> {
        let mut line = indent.to_owned();
        let mut is_empty = true;
        for word in text.split_whitespace() {
            if !is_empty && cells(&line) + 1 + cells(word) > self.width {
                writeln!(out, "{line}")?;
                line = " ".repeat(cells(indent));
                is_empty = true;
            }
            if !is_empty {
                line.push(' ');
            }
            line.push_str(word);
            is_empty = false;
        }
        writeln!(out, "{line}")
    }

    /// Writes the names of all topics.
    pub fn write_topics(&self, out: &mut impl Write) -> io::Result<()> {
        let rule_titles: Vec<(&str, &str)> = Rule::ALL
            .iter()
            .map(|rule| (rule.id(), rules::text(rule.id()).map_or("", |text| text.title.as_str())))
            .collect();
        match self.format {
            DocumentFormat::Json => return write_topics_json(&rule_titles, out),
            DocumentFormat::Text => {}
        }
        let names: Vec<&str> = STATES.iter().map(|row| row.name).collect();
        writeln!(out, "States")?;
        self.paragraph(out, "  ", &names.join(", "))?;
        writeln!(out, "\nFindings")?;
        for (id, title) in &rule_titles {
            writeln!(out, "{}", format!("  {id:<20}  {title}").trim_end())?;
        }
        for group in TopicGroup::ALL {
            writeln!(out, "\n{}", group.title())?;
            for topic in topics::all().iter().filter(|topic| topic.group == group) {
                writeln!(out, "  {:<20}  {}", topic.id, topic.title)?;
            }
        }
        writeln!(out)?;
        self.paragraph(
            out,
            "",
            "Also: any port (443, :443, 53/udp, redis), any range (49152-65535, registered), every column (conntop \
             columns), every option (--interval).",
        )
    }
}

fn write_topics_json(rule_titles: &[(&str, &str)], out: &mut impl Write) -> io::Result<()> {
    let states = STATES.iter().map(|row| TopicName { topic: row.name, kind: "state", title: row.name });
    let findings = rule_titles.iter().map(|(id, title)| TopicName { topic: id, kind: "finding", title });
    let others = topics::all().iter().map(|topic| TopicName { topic: &topic.id, kind: "topic", title: &topic.title });
    let columns = COLUMNS.iter().map(|column| TopicName { topic: column.key, kind: "column", title: column.title });
    let all: Vec<TopicName<'_>> = states.chain(findings).chain(others).chain(columns).collect();
    write_json(&all, out)
}

fn write_json<T: Serialize>(topics: &[T], out: &mut impl Write) -> io::Result<()> {
    serde_json::to_writer(&mut *out, &ExplainDocument { schema: SCHEMA, topics })?;
    writeln!(out)
}
