//! Goes through a parsed command line and notes every program that runs, wherever it stands.
//!
//! Each kind of node is listed; one that is new to the parser does not compile.

use brush_parser::ast::{
    AssignmentValue, Command, CommandPrefixOrSuffixItem as Item, CompoundCommand, CompoundList, ExtendedTestExpr,
    IoFileRedirectTarget, IoRedirect, Pipeline, Program, RedirectList, SimpleCommand, SubshellCommand, Word,
};

use super::words::{self, Known};
use super::{MAX_PROGRAMS, Reading, inner, wrappers};

/// Variables whose value decides what runs.
const TELLING: [&str; 12] = [
    "PATH",
    "BASH_ENV",
    "ENV",
    "IFS",
    "SHELLOPTS",
    "BASHOPTS",
    "PS4",
    "PROMPT_COMMAND",
    "EDITOR",
    "VISUAL",
    "PAGER",
    "SHELL",
];

/// Whether setting this variable can change what runs.
pub(super) fn is_telling(name: &str) -> bool {
    TELLING.contains(&name)
        || name.starts_with("LD_")
        || name.starts_with("GIT_")
        || name.starts_with("PYTHON")
        || name.starts_with("PERL")
        || name.starts_with("BASH_FUNC_")
}

pub(super) fn program(program: &Program, depth: usize, reading: &mut Reading) {
    for list in &program.complete_commands {
        self::list(list, depth, reading);
    }
}

fn list(list: &CompoundList, depth: usize, reading: &mut Reading) {
    for item in &list.0 {
        pipeline(&item.0.first, depth, reading);
        for next in &item.0.additional {
            let (brush_parser::ast::AndOr::And(next) | brush_parser::ast::AndOr::Or(next)) = next;
            pipeline(next, depth, reading);
        }
    }
}

fn pipeline(pipeline: &Pipeline, depth: usize, reading: &mut Reading) {
    for one in &pipeline.seq {
        command(one, depth, reading);
    }
}

fn command(command: &Command, depth: usize, reading: &mut Reading) {
    match command {
        Command::Simple(simple) => self::simple(simple, depth, reading),
        Command::Compound(compound, redirects) => {
            reading.plain = false;
            self::compound(compound, depth, reading);
            self::redirects(redirects.as_ref(), depth, reading);
        }
        Command::Function(function) => {
            // From here on a name may mean something else than the program of that name.
            reading.opaque = true;
            compound(&function.body.0, depth, reading);
            redirects(function.body.1.as_ref(), depth, reading);
        }
        Command::ExtendedTest(test, redirects) => {
            reading.plain = false;
            self::test(&test.expr, depth, reading);
            self::redirects(redirects.as_ref(), depth, reading);
        }
    }
}

fn compound(command: &CompoundCommand, depth: usize, reading: &mut Reading) {
    match command {
        CompoundCommand::Arithmetic(arithmetic) => expression(&arithmetic.expr.value, reading),
        CompoundCommand::ArithmeticForClause(clause) => {
            for part in [&clause.initializer, &clause.condition, &clause.updater].into_iter().flatten() {
                expression(&part.value, reading);
            }
            list(&clause.body.list, depth, reading);
        }
        CompoundCommand::BraceGroup(group) => list(&group.list, depth, reading),
        CompoundCommand::Subshell(subshell) => list(&subshell.list, depth, reading),
        CompoundCommand::ForClause(clause) => {
            for word in clause.values.iter().flatten() {
                self::word(word, depth, reading);
            }
            list(&clause.body.list, depth, reading);
        }
        CompoundCommand::CaseClause(clause) => {
            word(&clause.value, depth, reading);
            for case in &clause.cases {
                for pattern in &case.patterns {
                    word(pattern, depth, reading);
                }
                if let Some(body) = &case.cmd {
                    list(body, depth, reading);
                }
            }
        }
        CompoundCommand::IfClause(clause) => {
            list(&clause.condition, depth, reading);
            list(&clause.then, depth, reading);
            for other in clause.elses.iter().flatten() {
                if let Some(condition) = &other.condition {
                    list(condition, depth, reading);
                }
                list(&other.body, depth, reading);
            }
        }
        CompoundCommand::WhileClause(clause) | CompoundCommand::UntilClause(clause) => {
            list(&clause.0, depth, reading);
            list(&clause.1.list, depth, reading);
        }
        CompoundCommand::Coprocess(coprocess) => self::command(&coprocess.body, depth, reading),
    }
}

fn simple(simple: &SimpleCommand, depth: usize, reading: &mut Reading) {
    let mut argv = Vec::new();
    let prefix = simple.prefix.iter().flat_map(|prefix| &prefix.0);
    for item in prefix {
        reading.plain = false;
        self::item(item, true, &mut argv, depth, reading);
    }
    if let Some(name) = &simple.word_or_name {
        argv.push(word(name, depth, reading));
    }
    for item in simple.suffix.iter().flat_map(|suffix| &suffix.0) {
        self::item(item, false, &mut argv, depth, reading);
    }
    if !argv.is_empty() {
        run(&argv, depth, reading);
    }
}

fn item(item: &Item, before: bool, argv: &mut Vec<Option<String>>, depth: usize, reading: &mut Reading) {
    match item {
        Item::IoRedirect(redirect) => self::redirect(redirect, depth, reading),
        Item::Word(word) => argv.push(self::word(word, depth, reading)),
        Item::AssignmentWord(assignment, word) => {
            let name = assignment.name.to_string();
            reading.opaque |= is_telling(&name);
            match &assignment.value {
                AssignmentValue::Scalar(value) => drop(self::word(value, depth, reading)),
                AssignmentValue::Array(values) => {
                    for (key, value) in values {
                        key.iter().chain([value]).for_each(|word| drop(self::word(word, depth, reading)));
                    }
                }
            }
            if !before {
                argv.push(self::word(word, depth, reading));
            }
        }
        Item::ProcessSubstitution(_, subshell) => {
            process(subshell, depth, reading);
            argv.push(None);
        }
    }
}

/// Notes a program with its arguments, and what it runs in turn.
pub(super) fn run(argv: &[Option<String>], depth: usize, reading: &mut Reading) {
    reading.seen = reading.seen.saturating_add(1);
    if reading.seen > MAX_PROGRAMS {
        reading.opaque = true;
        return;
    }
    let Some((Some(program), arguments)) = argv.split_first() else {
        reading.opaque = true;
        return;
    };
    let name = program.rsplit('/').next().unwrap_or(program);
    reading.programs.insert(name.to_owned());
    reading.arguments.extend(arguments.iter().flatten().cloned());
    reading.plain &= argv.iter().all(Option::is_some);
    if reading.seen == 1 {
        reading.argv = argv.iter().cloned().collect();
    }
    reading.sudo |= wrappers::changes_user(name);
    wrappers::follow(name, arguments, depth, reading);
}

fn redirects(list: Option<&RedirectList>, depth: usize, reading: &mut Reading) {
    for redirect in list.iter().flat_map(|list| &list.0) {
        self::redirect(redirect, depth, reading);
    }
}

fn redirect(redirect: &IoRedirect, depth: usize, reading: &mut Reading) {
    reading.plain = false;
    match redirect {
        IoRedirect::File(_, _, target) => match target {
            IoFileRedirectTarget::Filename(word) | IoFileRedirectTarget::Duplicate(word) => {
                self::word(word, depth, reading);
            }
            IoFileRedirectTarget::Fd(_) => {}
            IoFileRedirectTarget::ProcessSubstitution(_, subshell) => process(subshell, depth, reading),
        },
        IoRedirect::HereDocument(_, document) => {
            if document.requires_expansion {
                known(words::look_at_document(&document.doc.value), depth, reading);
            }
        }
        IoRedirect::HereString(_, word) | IoRedirect::OutputAndError(word, _) => {
            self::word(word, depth, reading);
        }
    }
}

fn process(subshell: &SubshellCommand, depth: usize, reading: &mut Reading) {
    reading.plain = false;
    list(&subshell.list, depth, reading);
}

fn test(expression: &ExtendedTestExpr, depth: usize, reading: &mut Reading) {
    match expression {
        ExtendedTestExpr::And(one, other) | ExtendedTestExpr::Or(one, other) => {
            test(one, depth, reading);
            test(other, depth, reading);
        }
        ExtendedTestExpr::Not(one) | ExtendedTestExpr::Parenthesized(one) => test(one, depth, reading),
        ExtendedTestExpr::UnaryTest(_, word) => {
            self::word(word, depth, reading);
        }
        ExtendedTestExpr::BinaryTest(_, one, other) => {
            word(one, depth, reading);
            word(other, depth, reading);
        }
    }
}

/// An arithmetic expression can hold a substitution, and a subscript is expanded.
fn expression(text: &str, reading: &mut Reading) {
    reading.opaque |= text.contains(['$', '`', '[']);
}

fn word(word: &Word, depth: usize, reading: &mut Reading) -> Option<String> {
    known(words::look(&word.value), depth, reading)
}

fn known(known: Known, depth: usize, reading: &mut Reading) -> Option<String> {
    reading.opaque |= known.hidden;
    for command in &known.commands {
        reading.plain = false;
        inner(command, depth.saturating_add(1), reading);
    }
    known.text
}
