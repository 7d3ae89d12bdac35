//! Expressions from minijinja's tree to ours, with note of the names they read.

use minijinja::machinery::{Span, ast};
use minijinja::value::ValueKind;

use super::filters;
use super::syntax::{Reader, position, unsupported};
use super::tree::{Expr, Kind, Operator, TESTS, Test, Use};
use super::value::FIELDS;
use super::{Position, Problem, TemplateError};

impl Reader {
    fn boxed(&mut self, expr: &ast::Expr<'_>) -> Result<Box<Expr>, TemplateError> {
        self.expr(expr).map(Box::new)
    }

    fn exprs(&mut self, exprs: &[ast::Expr<'_>]) -> Result<Vec<Expr>, TemplateError> {
        exprs.iter().map(|one| self.expr(one)).collect()
    }

    pub(super) fn expr(&mut self, expr: &ast::Expr<'_>) -> Result<Expr, TemplateError> {
        let at = position(expr.span());
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
            ast::Expr::UnaryOp(unary) => match unary.op {
                ast::UnaryOpKind::Not => Kind::Not(self.boxed(&unary.expr)?),
                ast::UnaryOpKind::Neg => Kind::Negative(self.boxed(&unary.expr)?),
            },
            ast::Expr::BinOp(binary) => {
                let operator = operator(binary.op, expr.span())?;
                Kind::Binary(
                    operator,
                    self.boxed(&binary.left)?,
                    self.boxed(&binary.right)?,
                )
            }
            ast::Expr::Compare(chain) => self.chain(chain)?,
            ast::Expr::IfExpr(choice) => Kind::Choice(
                self.boxed(&choice.test_expr)?,
                self.boxed(&choice.true_expr)?,
                choice
                    .false_expr
                    .as_ref()
                    .map(|no| self.boxed(no))
                    .transpose()?,
            ),
            ast::Expr::Filter(filter) => self.filter(filter, at)?,
            ast::Expr::Test(test) => self.test(test, at)?,
            ast::Expr::Call(_) => return unsupported("a call", expr.span()),
            ast::Expr::Slice(_) => return unsupported("a slice", expr.span()),
        };
        // The parser's own place of an operation is the word before it.
        let at = if let Kind::Binary(_, first, _)
        | Kind::Chain(first, _)
        | Kind::Choice(_, first, _) = &kind
        {
            first.at
        } else {
            at
        };
        Ok(Expr { at, kind })
    }

    fn chain(&mut self, chain: &ast::Compare<'_>) -> Result<Kind, TemplateError> {
        let first = self.boxed(&chain.expr)?;
        let mut rest = Vec::new();
        for link in &chain.ops {
            let (operator, negated) = match link.op {
                ast::CompareOpKind::Eq => (Operator::Equal, false),
                ast::CompareOpKind::Ne => (Operator::Unequal, false),
                ast::CompareOpKind::Lt => (Operator::Less, false),
                ast::CompareOpKind::Lte => (Operator::LessOrEqual, false),
                ast::CompareOpKind::Gt => (Operator::Greater, false),
                ast::CompareOpKind::Gte => (Operator::GreaterOrEqual, false),
                ast::CompareOpKind::In => (Operator::In, false),
                ast::CompareOpKind::NotIn => (Operator::In, true),
            };
            rest.push((operator, negated, self.expr(&link.expr)?));
        }
        Ok(Kind::Chain(first, rest))
    }

    fn filter(&mut self, filter: &ast::Filter<'_>, at: Position) -> Result<Kind, TemplateError> {
        let Some(known) = filters::named(filter.name) else {
            let name = filter.name.to_owned();
            return Err(TemplateError::new(at, Problem::UnknownFilter(name)));
        };
        let wrong = || TemplateError::new(at, Problem::arguments(known.name, known.usage()));
        let before = self.uses.len();
        let input = self.boxed(filter.expr.as_ref().ok_or_else(wrong)?)?;
        if known.allows_absence() {
            self.allow_absent(before, &input);
        }
        let mut places: Vec<Option<Expr>> = known.parameters.iter().map(|_| None).collect();
        for (index, argument) in filter.args.iter().enumerate() {
            let (index, value) = match argument {
                ast::CallArg::Pos(value) => (Some(index), value),
                ast::CallArg::Kwarg(name, value) => {
                    (known.parameters.iter().position(|one| one == name), value)
                }
                ast::CallArg::PosSplat(_) | ast::CallArg::KwargSplat(_) => return Err(wrong()),
            };
            let place = index.and_then(|index| places.get_mut(index));
            *place.ok_or_else(wrong)? = Some(self.expr(value)?);
        }
        if !known.has_enough(&places) {
            return Err(wrong());
        }
        Ok(Kind::Filter(known, input, places))
    }

    fn test(&mut self, test: &ast::Test<'_>, at: Position) -> Result<Kind, TemplateError> {
        let known = match test.name {
            "defined" => Test::Defined,
            "undefined" => Test::Undefined,
            "startingwith" => Test::StartsWith,
            "endingwith" => Test::EndsWith,
            other => {
                return Err(TemplateError::new(
                    at,
                    Problem::UnknownTest(other.to_owned()),
                ));
            }
        };
        let before = self.uses.len();
        let input = self.boxed(&test.expr)?;
        let argument = match (known, test.args.as_slice()) {
            (Test::Defined | Test::Undefined, []) => {
                self.allow_absent(before, &input);
                None
            }
            (Test::StartsWith | Test::EndsWith, [ast::CallArg::Pos(argument)]) => {
                Some(self.boxed(argument)?)
            }
            (Test::Defined | Test::Undefined | Test::StartsWith | Test::EndsWith, _) => {
                let usage = format!("`is {} …` takes one text, `is defined` nothing", TESTS[2]);
                return Err(TemplateError::new(at, Problem::arguments(test.name, usage)));
            }
        };
        Ok(Kind::Test(known, input, argument))
    }

    fn used(&mut self, name: &str, at: Position) {
        if name != FIELDS {
            self.uses.push(Use {
                name: name.to_owned(),
                at,
                optional: false,
            });
        }
    }

    /// `fields.x` and `fields["x"]` read the field `x`.
    fn used_of_fields(&mut self, of: &ast::Expr<'_>, name: Option<&str>, at: Position) {
        if let (ast::Expr::Var(of), Some(name)) = (of, name)
            && of.id == FIELDS
        {
            self.used(name, at);
        }
    }

    /// The operand was a plain name or a path from one: its absence is provided for.
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

fn constant_kind(value: &minijinja::Value, span: Span) -> Result<Kind, TemplateError> {
    if let Some(text) = value.as_str() {
        return Ok(Kind::Text(text.to_owned()));
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

fn operator(kind: ast::BinOpKind, span: Span) -> Result<Operator, TemplateError> {
    Ok(match kind {
        ast::BinOpKind::Eq => Operator::Equal,
        ast::BinOpKind::Ne => Operator::Unequal,
        ast::BinOpKind::Lt => Operator::Less,
        ast::BinOpKind::Lte => Operator::LessOrEqual,
        ast::BinOpKind::Gt => Operator::Greater,
        ast::BinOpKind::Gte => Operator::GreaterOrEqual,
        ast::BinOpKind::ScAnd => Operator::And,
        ast::BinOpKind::ScOr => Operator::Or,
        ast::BinOpKind::Add => Operator::Add,
        ast::BinOpKind::Sub => Operator::Subtract,
        ast::BinOpKind::Mul => Operator::Multiply,
        ast::BinOpKind::FloorDiv => Operator::Divide,
        ast::BinOpKind::Rem => Operator::Remainder,
        ast::BinOpKind::Concat => Operator::Concat,
        ast::BinOpKind::In => Operator::In,
        ast::BinOpKind::Div => return unsupported("`/` (there is `//`)", span),
        ast::BinOpKind::Pow => return unsupported("`**`", span),
    })
}
