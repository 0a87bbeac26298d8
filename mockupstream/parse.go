package mockupstream

import "floodgate/mockupstream/strictyaml"

// ParseProfile reads a profile in YAML and validates it; name stands in the
// errors, which say file, line, the offending text and what is allowed.
// Replay files are left unread; see Resolve.
func ParseProfile(name string, src []byte) (Profile, error) {
	var p Profile
	doc, err := strictyaml.Decode(name, src, &p)
	if err != nil {
		return Profile{}, err
	}
	if err := doc.Locate(p.Validate()); err != nil {
		return Profile{}, err
	}
	return p, nil
}
