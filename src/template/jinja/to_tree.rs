//! Converts expressions from minijinja's tree to ours, and notes the names that they read.

use minijinja::machinery::{Span, ast};
use minijinja::value::ValueKind;

use super::super::functions::{FILTERS, Function, TESTS, operators};
use super::super::tree::{Expr, Kind};
use super::syntax::{Reader, Use, position, unsupported};
use crate::base::printable;
use crate::template::error::{Place, Problem, TemplateError};
use crate::template::eval::FIELDS;

impl Reader {
    fn boxed(&mut self, expr: &ast::Expr<'_>) -> Result<Box<Expr>, TemplateError> {
        self.expr(expr).map(Box::new)
    }

    fn exprs(&mut self, exprs: &[ast::Expr<'_>]) -> Result<Vec<Expr>, TemplateError> {
        exprs.iter().map(|one| self.expr(one)).collect()
    }

    pub(super) fn expr(&mut self, expr: &ast::Expr<'_>) -> Result<Expr, TemplateError> {
        let mut at = position(expr.span());
        let kind = match expr {
            ast::Expr::Var(name) => {
                self.used(name.id, at);
                Kind::Name(name.id.to_owned())
            }
            ast::Expr::Const(constant) => constant_kind(&constant.value, expr.span())?,
            ast::Expr::List(list) => Kind::List(self.exprs(&list.items)?),
            ast::Expr::Tuple(tuple) => Kind::List(self.exprs(&tuple.items)?),
            ast::Expr::Map(map) => {
                let keys = self.exprs(&map.keys)?;
                let values = self.exprs(&map.values)?;
                Kind::Map(keys.into_iter().zip(values).collect())
            }
            ast::Expr::GetAttr(get) => {
                self.used_of_fields(&get.expr, Some(get.name), at);
                Kind::Member(self.boxed(&get.expr)?, get.name.to_owned())
            }
            ast::Expr::GetItem(get) => {
                let key = get.subscript_expr.as_const();
                self.used_of_fields(&get.expr, key.as_ref().and_then(|key| key.as_str()), at);
                Kind::Item(self.boxed(&get.expr)?, self.boxed(&get.subscript_expr)?)
            }
            ast::Expr::UnaryOp(unary) => {
                let operator = match unary.op {
                    ast::UnaryOpKind::Not => &operators::NOT,
                    ast::UnaryOpKind::Neg => &operators::NEGATIVE,
                };
                operated(operator, vec![self.expr(&unary.expr)?])
            }
            // The parser gives the word before an operation as its place.
            ast::Expr::BinOp(binary) => {
                let operator = operator(binary.op, expr.span())?;
                let sides = vec![self.expr(&binary.left)?, self.expr(&binary.right)?];
                self.asked(&sides[0], &binary.right);
                at = sides[0].at;
                match operator {
                    Some(operator) => operated(operator, sides),
                    None => Kind::Either {
                        or: matches!(binary.op, ast::BinOpKind::ScOr),
                        of: sides,
                    },
                }
            }
            ast::Expr::Compare(chain) => {
                let first = self.boxed(&chain.expr)?;
                at = first.at;
                self.chain(first, chain)?
            }
            ast::Expr::IfExpr(choice) => {
                let condition = self.boxed(&choice.test_expr)?;
                let yes = self.boxed(&choice.true_expr)?;
                at = yes.at;
                let no = choice.false_expr.as_ref();
                Kind::Choice(condition, yes, no.map(|no| self.boxed(no)).transpose()?)
            }
            ast::Expr::Filter(filter) => self.filter(filter, at)?,
            ast::Expr::Test(test) => self.test(test, at)?,
            ast::Expr::Call(_) => return unsupported("a call", expr.span()),
            ast::Expr::Slice(_) => return unsupported("a slice", expr.span()),
        };
        Ok(Expr {
            at,
            counts: true,
            kind,
        })
    }

    fn chain(&mut self, first: Box<Expr>, chain: &ast::Compare<'_>) -> Result<Kind, TemplateError> {
        let mut rest = Vec::new();
        for link in &chain.ops {
            let (operator, negated) = match link.op {
                ast::CompareOpKind::Eq => (&operators::EQUAL, false),
                ast::CompareOpKind::Ne => (&operators::UNEQUAL, false),
                ast::CompareOpKind::Lt => (&operators::LESS, false),
                ast::CompareOpKind::Lte => (&operators::LESS_OR_EQUAL, false),
                ast::CompareOpKind::Gt => (&operators::GREATER, false),
                ast::CompareOpKind::Gte => (&operators::GREATER_OR_EQUAL, false),
                ast::CompareOpKind::In => (&operators::IN, false),
                ast::CompareOpKind::NotIn => (&operators::IN, true),
            };
            let side = self.expr(&link.expr)?;
            self.asked(rest.last().map_or(&*first, |(_, _, side)| side), &link.expr);
            rest.push((operator, negated, side));
        }
        Ok(Kind::Chain(first, rest))
    }

    fn filter(&mut self, filter: &ast::Filter<'_>, at: Place) -> Result<Kind, TemplateError> {
        let Some(known) = Function::named(FILTERS, filter.name) else {
            let names: Vec<&str> = FILTERS.iter().map(|filter| filter.name).collect();
            return Err(at.at()(Problem::Mistake {
                what: format!("there is no filter {}", printable::quoted(filter.name)),
                hint: format!("filters are {}", names.join(", ")),
            }));
        };
        let wrong = || at.at()(known.takes_others());
        let before = self.uses.len();
        let input = self.boxed(filter.expr.as_ref().ok_or_else(wrong)?)?;
        if known.takes_nothing {
            self.allow_absent(before, &input);
        }
        let mut arguments: Vec<Option<Expr>> = known.parameters.iter().map(|_| None).collect();
        for (index, argument) in filter.args.iter().enumerate() {
            let (index, value) = match argument {
                ast::CallArg::Pos(value) => (Some(index), value),
                ast::CallArg::Kwarg(name, value) => {
                    (known.parameters.iter().position(|one| one == name), value)
                }
                ast::CallArg::PosSplat(_) | ast::CallArg::KwargSplat(_) => return Err(wrong()),
            };
            let place = index.and_then(|index| arguments.get_mut(index));
            *place.ok_or_else(wrong)? = Some(self.expr(value)?);
        }
        if !arguments.iter().take(known.least).all(Option::is_some) {
            return Err(wrong());
        }
        Ok(Kind::Call {
            function: known,
            input: Some(input),
            arguments,
        })
    }

    fn test(&mut self, test: &ast::Test<'_>, at: Place) -> Result<Kind, TemplateError> {
        let Some(known) = Function::named(TESTS, test.name) else {
            return Err(at.at()(Problem::Mistake {
                what: format!("there is no test {}", printable::quoted(test.name)),
                hint: format!(
                    "tests are {}",
                    printable::names(TESTS.iter().map(|test| test.name))
                ),
            }));
        };
        let before = self.uses.len();
        let input = self.boxed(&test.expr)?;
        if known.takes_nothing {
            self.allow_absent(before, &input);
            if let (true, [used]) = (is_field(&input), &self.uses[before..]) {
                self.tested.push(used.name.clone());
            }
        }
        let mut arguments = Vec::new();
        for argument in &test.args {
            if let ast::CallArg::Pos(argument) = argument {
                arguments.push(Some(self.expr(argument)?));
            }
        }
        if arguments.len() != test.args.len() || arguments.len() != known.least {
            return Err(at.at()(Problem::Mistake {
                what: format!(
                    "{} does not take these arguments",
                    printable::quoted(test.name)
                ),
                hint: "`is startingwith …` takes one text, `is defined` nothing".to_owned(),
            }));
        }
        Ok(Kind::Call {
            function: known,
            input: Some(input),
            arguments,
        })
    }

    fn used(&mut self, name: &str, at: Place) {
        if name != FIELDS {
            self.uses.push(Use {
                name: name.to_owned(),
                at,
                optional: false,
            });
        }
    }

    /// `fields.x` and `fields["x"]` read the field `x`.
    fn used_of_fields(&mut self, of: &ast::Expr<'_>, name: Option<&str>, at: Place) {
        if let (ast::Expr::Var(of), Some(name)) = (of, name)
            && of.id == FIELDS
        {
            self.used(name, at);
        }
    }

    /// `"x" in fields` asks for the field `x`.
    fn asked(&mut self, left: &Expr, right: &ast::Expr<'_>) {
        if let (Kind::Text(name), ast::Expr::Var(of)) = (&left.kind, right)
            && of.id == FIELDS
        {
            self.tested
                .extend(std::str::from_utf8(name).map(str::to_owned));
        }
    }

    /// The operand was a name or a path from a name: it may be missing.
    fn allow_absent(&mut self, before: usize, operand: &Expr) {
        if matches!(
            operand.kind,
            Kind::Name(_) | Kind::Member(..) | Kind::Item(..)
        ) {
            for used in &mut self.uses[before..] {
                used.optional = true;
            }
        }
    }
}

/// Whether this is a name, `fields.name` or `fields["name"]`.
fn is_field(operand: &Expr) -> bool {
    let is_fields = |of: &Expr| matches!(&of.kind, Kind::Name(name) if name == FIELDS);
    matches!(operand.kind, Kind::Name(_))
        || matches!(&operand.kind, Kind::Member(of, _) | Kind::Item(of, _) if is_fields(of))
}

fn constant_kind(value: &minijinja::Value, span: Span) -> Result<Kind, TemplateError> {
    if let Some(text) = value.as_str() {
        return Ok(Kind::Text(text.as_bytes().to_vec()));
    }
    if value.is_none() {
        return Ok(Kind::Null);
    }
    if value.kind() == ValueKind::Bool {
        return Ok(Kind::Bool(value.is_true()));
    }
    match value.as_i64() {
        Some(number) if value.is_integer() => Ok(Kind::Number(number)),
        _ => unsupported("a number with a fraction, or one beyond 64 bits,", span),
    }
}

fn operated(operator: &'static Function, sides: Vec<Expr>) -> Kind {
    Kind::Call {
        function: operator,
        input: None,
        arguments: sides.into_iter().map(Some).collect(),
    }
}

/// The row of an operator; `and` and `or` have none.
fn operator(kind: ast::BinOpKind, span: Span) -> Result<Option<&'static Function>, TemplateError> {
    Ok(Some(match kind {
        ast::BinOpKind::Eq => &operators::EQUAL,
        ast::BinOpKind::Ne => &operators::UNEQUAL,
        ast::BinOpKind::Lt => &operators::LESS,
        ast::BinOpKind::Lte => &operators::LESS_OR_EQUAL,
        ast::BinOpKind::Gt => &operators::GREATER,
        ast::BinOpKind::Gte => &operators::GREATER_OR_EQUAL,
        ast::BinOpKind::Add => &operators::ADD,
        ast::BinOpKind::Sub => &operators::SUBTRACT,
        ast::BinOpKind::Mul => &operators::MULTIPLY,
        ast::BinOpKind::FloorDiv => &operators::DIVIDE,
        ast::BinOpKind::Rem => &operators::REMAINDER,
        ast::BinOpKind::Concat => &operators::CONCAT,
        ast::BinOpKind::In => &operators::IN,
        ast::BinOpKind::ScAnd | ast::BinOpKind::ScOr => return Ok(None),
        ast::BinOpKind::Div => return unsupported("`/` (there is `//`)", span),
        ast::BinOpKind::Pow => return unsupported("`**`", span),
    }))
}
