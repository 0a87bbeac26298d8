package scenarios

import (
	"fmt"
	"slices"
	"strings"
)

func (c *checker) claims(names []string, levels []Level) {
	ids := map[string]int{}
	for i := range c.s.Claims {
		claim, path := &c.s.Claims[i], index("claims", i)
		if first, repeated := ids[claim.ID]; repeated && claim.ID != "" {
			c.report(join(path, "id"), fmt.Sprintf("another claim is called %s, on line %d; allowed: an id of its own for each",
				quote(claim.ID), c.places[index("claims", first)].line))
		} else {
			ids[claim.ID] = i
		}
		c.claim(claim, path, names, levels)
		c.runs(claim, path, levels)
	}
}

// runs checks that every variant of a claim runs at a level that it selects.
func (c *checker) runs(claim *Claim, path string, levels []Level) {
	about := claim.about()
	selected := slices.DeleteFunc(slices.Clone(levels), func(l Level) bool { return !l.Selects(about.where) })
	for _, v := range c.s.Variants {
		if slices.Contains(about.variants, v.Name) && len(selected) > 0 && !slices.ContainsFunc(selected, v.RunsAt) {
			c.report(path, fmt.Sprintf("%s runs at none of the levels that the claim selects; allowed: variants whose where selects one of them", quote(v.Name)))
		}
	}
}

func (c *checker) claim(claim *Claim, path string, names []string, levels []Level) {
	present := slices.DeleteFunc(slices.Clone(kindsOfClaim), func(kind string) bool { return !c.present(join(path, kind)) })
	switch len(present) {
	case 1:
	case 0:
		c.report(path, "claims nothing; allowed: exactly one of "+strings.Join(kindsOfClaim, ", "))
	default:
		c.reportKey(join(path, present[1]), "a second kind of claim beside "+present[0]+"; allowed: exactly one of "+strings.Join(kindsOfClaim, ", "))
	}
	if r := claim.Reduction; r != nil {
		at := join(path, "reduction")
		c.compared(at, r.Of, r.Against, names)
		c.where(join(at, "where"), r.Where, levels)
	}
	if g := claim.Growth; g != nil {
		at := join(path, "growth")
		c.compared(at, g.Of, g.Against, names)
		selected := levels
		if g.Where != nil {
			selected = c.where(join(at, "where"), g.Where, levels)
		}
		c.grows(join(at, "with"), &g.With, selected)
	}
	if d := claim.Descriptors; d != nil {
		c.descriptors(join(path, "descriptors"), d, names, levels)
	}
	if d := claim.Documents; d != nil {
		c.known(join(path, "documents.of"), d.Of, names)
	}
	if e := claim.Exhaustion; e != nil {
		c.known(join(path, "exhaustion.of"), e.Of, names)
		c.where(join(path, "exhaustion.where"), e.Where, levels)
	}
	if k := claim.Cause; k != nil {
		c.known(join(path, "cause.of"), k.Of, names)
		c.where(join(path, "cause.where"), k.Where, levels)
	}
	if k := claim.Course; k != nil {
		c.known(join(path, "course.of"), k.Of, names)
		c.where(join(path, "course.where"), k.Where, levels)
		if k.Climbs == nil && k.Steady == nil {
			c.report(join(path, "course"), "claims nothing; allowed: climbs, steady, or both")
		}
	}
	if k := claim.Forecast; k != nil {
		c.known(join(path, "forecast.of"), k.Of, names)
		c.where(join(path, "forecast.where"), k.Where, levels)
	}
	for _, kind := range present {
		if forService, either := slices.Contains(claimsOfService, kind), kind == "documents"; !either && forService != (c.s.Service != nil) {
			c.reportKey(join(path, kind), kindOf[forService])
		}
	}
}

// kindOf says where a kind of claim has no meaning, by whether it is one of a service.
var kindOf = map[bool]string{
	true:  "claims something of a service, which this scenario is not; allowed: reduction, growth, descriptors, documents",
	false: "claims nothing of a service; allowed: " + strings.Join(claimsOfService, ", ") + ", documents",
}

func (c *checker) descriptors(path string, d *DescriptorsClaim, names []string, levels []Level) {
	c.known(join(path, "within"), d.Within, names)
	c.known(join(path, "grows"), d.Grows, names)
	switch {
	case !c.present(join(path, "within")) && !c.present(join(path, "grows")):
		c.report(path, "claims nothing; allowed: within, grows, or both")
	case !c.present(join(path, "grows")) && c.present(join(path, "with")):
		c.reportKey(join(path, "with"), "needs grows, which is missing; allowed: with beside grows")
	case c.present(join(path, "grows")):
		c.grows(join(path, "with"), &d.With, levels)
	}
}

// compared checks the variants of a comparison.
func (c *checker) compared(path string, of []string, against string, names []string) {
	c.known(join(path, "of"), of, names)
	if c.present(join(path, "against")) {
		c.variant(join(path, "against"), against, names)
	}
	if i := slices.Index(of, against); i >= 0 && against != "" {
		c.report(index(join(path, "of"), i), quote(against)+" is compared with itself; allowed: any other variant")
	}
}

func (c *checker) known(path string, variants, names []string) {
	for i, name := range variants {
		c.variant(index(path, i), name, names)
	}
}

// grows checks that a factor has values to grow over, and makes its name the short one.
func (c *checker) grows(path string, name *string, levels []Level) {
	f, wrong := c.s.findFactor(*name)
	if wrong != "" {
		c.report(path, wrong)
		return
	}
	*name = f.name
	if levels == nil {
		return
	}
	if _, isNumber := levels[0].Number(f.name); !isNumber {
		c.report(path, fmt.Sprintf("%s is a text and cannot grow; allowed: a factor that is a number or a duration", quote(f.name)))
		return
	}
	if !varies(f.name, levels) {
		c.report(path, fmt.Sprintf("%s does not vary over the selected levels; allowed: a factor with two values at least", quote(f.name)))
	}
}

func varies(name string, levels []Level) bool {
	for _, l := range levels[1:] {
		have, _ := l.Number(name)
		if first, _ := levels[0].Number(name); have != first {
			return true
		}
	}
	return false
}
