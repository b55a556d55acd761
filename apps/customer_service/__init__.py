"""Customer service: what does this customer want?"""
