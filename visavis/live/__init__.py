"""A server that looks at photos, videos and cameras, and the page in the browser that shows what it finds.

`visavis serve` runs it. What is done with a photo or a video is predict's: visavis/prediction.
"""
