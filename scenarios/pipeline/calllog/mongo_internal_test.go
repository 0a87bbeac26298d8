package calllog

import "testing"

// The URI cannot change the size of the pool or enable retries; its other options apply.
func TestOptionsOfTheURI(t *testing.T) {
	o := clientOptions(MongoOptions{
		URI:         "mongodb://127.0.0.1:1/?maxPoolSize=7&minPoolSize=3&maxConnecting=9&retryWrites=true&maxAdaptiveRetries=4&w=1&journal=true",
		MaxPoolSize: 20,
	})
	if *o.MaxPoolSize != 20 || *o.MinPoolSize != 0 || *o.RetryWrites || *o.MaxAdaptiveRetries != 0 {
		t.Errorf("pool of %d to %d, retries of writes %v, of overload %d; want 0 to 20, none", *o.MinPoolSize, *o.MaxPoolSize, *o.RetryWrites, *o.MaxAdaptiveRetries)
	}
	if *o.MaxConnecting != 9 || o.WriteConcern.W != 1 || !*o.WriteConcern.Journal {
		t.Errorf("maxConnecting %d, write concern %+v", *o.MaxConnecting, o.WriteConcern)
	}
	if o = clientOptions(MongoOptions{URI: "mongodb://127.0.0.1:1/"}); *o.MaxPoolSize != 0 || *o.MaxAdaptiveRetries != 0 {
		t.Errorf("pool of %d, retries of overload %d by default; want 0, which bounds nothing, and 0", *o.MaxPoolSize, *o.MaxAdaptiveRetries)
	}
}
