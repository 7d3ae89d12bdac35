//! Converts minijinja's syntax tree to ours, which contains only what the evaluator supports:
//! everything else is refused here, by name and place, so that `keyferry check` finds it without
//! any value. Only this file and `lower` know minijinja's tree.

use minijinja::machinery::{Span, ast};
use minijinja::syntax::SyntaxConfig;

use super::super::tree::{Loop, Names, Stmt};
use crate::template::error::{Place, Problem, TemplateError};

/// A name that a template reads.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Use {
    pub name: String,
    pub at: Place,
    /// Whether the template handles its absence.
    pub optional: bool,
}

impl Use {
    /// The error for a name that no source has.
    pub(crate) fn unknown(&self, known: &str) -> TemplateError {
        self.at.at()(Problem::Undefined {
            name: self.name.clone(),
            known: known.to_owned(),
        })
    }
}

/// Nothing is trimmed: a template file is delivered byte by byte.
pub(super) fn config() -> SyntaxConfig {
    SyntaxConfig::builder()
        .keep_trailing_newline(true)
        .build()
        .expect("the usual delimiters")
}

pub(super) fn parse(text: &str) -> Result<(Vec<Stmt>, Vec<Use>), TemplateError> {
    let tree = minijinja::machinery::parse(text, "template", config())
        .map_err(|error| syntax_error(&error))?;
    let mut reader = Reader::default();
    let ast::Stmt::Template(template) = &tree else {
        return Ok((Vec::new(), Vec::new()));
    };
    let body = reader.body(&template.children)?;
    let Reader {
        mut uses,
        tested,
        own,
    } = reader;
    uses.retain(|used| !own.contains(&used.name));
    for used in &mut uses {
        used.optional |= tested.contains(&used.name);
    }
    Ok((body, uses))
}

/// The parser saw the template's text and no value, so its message may be shown.
pub(super) fn syntax_error(error: &minijinja::Error) -> TemplateError {
    let line = error.line().and_then(|line| u32::try_from(line).ok());
    let detail = error.detail().unwrap_or("unexpected end").to_owned();
    Place::of_column(line.unwrap_or(1), 1).at()(Problem::Syntax(detail))
}

pub(super) fn position(span: Span) -> Place {
    Place::of_column(u32::from(span.start_line), u32::from(span.start_col) + 1)
}

/// Converts minijinja's tree to ours; the part for expressions is in `lower`.
#[derive(Default)]
pub(super) struct Reader {
    pub uses: Vec<Use>,
    /// Names that the template asks for with `is defined` or `in fields`: what it does then is its
    /// own affair, wherever else it reads them.
    pub tested: Vec<String>,
    /// Variables that the template sets.
    own: Vec<String>,
}

impl Reader {
    fn body(&mut self, statements: &[ast::Stmt<'_>]) -> Result<Vec<Stmt>, TemplateError> {
        statements.iter().map(|one| self.statement(one)).collect()
    }

    fn statement(&mut self, statement: &ast::Stmt<'_>) -> Result<Stmt, TemplateError> {
        let (word, span) = match statement {
            ast::Stmt::EmitRaw(raw) => {
                return Ok(Stmt::Text(position(raw.span()), raw.raw.to_owned()));
            }
            ast::Stmt::EmitExpr(emit) => return Ok(Stmt::Print(self.expr(&emit.expr)?)),
            ast::Stmt::Set(set) => {
                let value = self.expr(&set.expr)?;
                let names = self.targets(&set.target)?;
                return match names.list.len() {
                    1 => Ok(Stmt::Set(names, value)),
                    _ => unsupported("`set` of several names", set.span()),
                };
            }
            ast::Stmt::IfCond(choice) => {
                return Ok(Stmt::If {
                    condition: self.expr(&choice.expr)?,
                    dot: false,
                    yes: self.body(&choice.true_body)?,
                    no: self.body(&choice.false_body)?,
                });
            }
            ast::Stmt::ForLoop(each) if !each.recursive => {
                return Ok(Stmt::For(Box::new(self.read_loop(each)?)));
            }
            ast::Stmt::ForLoop(one) => ("a recursive loop", one.span()),
            ast::Stmt::Template(one) => ("a template", one.span()),
            ast::Stmt::WithBlock(one) => ("`with`", one.span()),
            ast::Stmt::SetBlock(one) => ("`set` with a body", one.span()),
            ast::Stmt::AutoEscape(one) => ("`autoescape`", one.span()),
            ast::Stmt::FilterBlock(one) => ("`filter` with a body", one.span()),
            ast::Stmt::Do(one) => ("`do`", one.span()),
        };
        unsupported(word, span)
    }

    fn read_loop(&mut self, each: &ast::ForLoop<'_>) -> Result<Loop, TemplateError> {
        self.own.push("loop".to_owned());
        Ok(Loop {
            names: self.targets(&each.target)?,
            items: self.expr(&each.iter)?,
            filter: each
                .filter_expr
                .as_ref()
                .map(|one| self.expr(one))
                .transpose()?,
            body: self.body(&each.body)?,
            otherwise: self.body(&each.else_body)?,
        })
    }

    fn targets(&mut self, target: &ast::Expr<'_>) -> Result<Names, TemplateError> {
        let items = if let ast::Expr::List(list) = target {
            list.items.as_slice()
        } else if let ast::Expr::Tuple(tuple) = target {
            tuple.items.as_slice()
        } else {
            std::slice::from_ref(target)
        };
        let mut names = Vec::new();
        for item in items {
            let ast::Expr::Var(name) = item else {
                return unsupported("a value for something else than a name", item.span());
            };
            names.push(name.id.to_owned());
        }
        self.own.extend(names.iter().cloned());
        Ok(Names {
            list: names,
            assigns: false,
        })
    }
}

pub(super) fn unsupported<T>(what: &str, span: Span) -> Result<T, TemplateError> {
    Err(position(span).at()(Problem::Mistake {
        what: format!("{what} has no place in a template of secrets"),
        hint: "a template has `{{ }}`, `{% if %}`, `{% for %}`, `{% set %}`, `{% raw %}`, \
               `{# #}`, operators and filters"
            .to_owned(),
    }))
}
